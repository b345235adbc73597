/** Basic authentication with A1111's answers: `--api-auth` of v1.10.1, with FastAPI's HTTPBasic. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { MiddlewareHandler } from "hono";
import { fourKeys } from "./errors.ts";
import { isSdapiRoute } from "./route-table.ts";

const digest = (text: string) => createHash("sha256").update(text).digest();
const refusal = (detail: string) => fourKeys(401, "HTTPException", detail);

/**
 * Asks every route that exists for one of the credentials; also those of A1111's LoRA and ControlNet extensions, which it leaves open.
 * @param credentials `user:password` each; a password may hold colons.
 */
export function basicAuth(credentials: readonly string[]): MiddlewareHandler {
  const expected = credentials.map(digest);
  return async (context, next) => {
    if (isSdapiRoute(context.req.method, context.req.path)) {
      const given = digest(credentialsOf(context.req.header("authorization")));
      // Each is compared, so that the time tells nothing.
      const matches = expected.filter((each) => timingSafeEqual(each, given));
      if (matches.length === 0) throw refusal("Incorrect username or password");
    }
    await next();
  };
}

function credentialsOf(header = ""): string {
  const [scheme = "", encoded = ""] = header.split(" ");
  if (scheme.toLowerCase() !== "basic") throw refusal("Not authenticated");
  const decoded = Buffer.from(encoded, "base64").toString();
  if (!decoded.includes(":")) throw refusal("Invalid authentication credentials");
  return decoded;
}
