/** The bearer token of the work routes. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { MiddlewareHandler } from "hono";
import { EndpointError } from "../../../runtime/errors.ts";

const digest = (text: string) => createHash("sha256").update(text).digest();

/** @throws EndpointError `unauthorized` unless the request carries `Authorization: Bearer <token>`. */
export function bearerAuth(token: string): MiddlewareHandler {
  const expected = digest(`Bearer ${token}`);
  return async (context, next) => {
    if (!timingSafeEqual(digest(context.req.header("authorization") ?? ""), expected)) {
      throw new EndpointError("unauthorized", "the Authorization header must carry the bearer token of this worker");
    }
    await next();
  };
}
