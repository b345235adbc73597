/** Cross-origin access by starlette's rules, which A1111 follows: a list of origins, every method and header, credentials. */
import type { MiddlewareHandler } from "hono";

const METHODS = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT";
const MAX_AGE_SECONDS = "600";

/** @param origins as browsers send them; `*` allows any; none: no page of another origin may read an answer. */
export function cors(origins: readonly string[]): MiddlewareHandler {
  // A browser sends no credentials of its own to a server that lets everybody in.
  const anyone = origins.includes("*");
  const isAllowed = (origin: string) => anyone || origins.includes(origin);
  return async (context, next) => {
    const origin = context.req.header("origin");
    if (origin === undefined) return next();
    const headers = {
      "access-control-allow-credentials": "true",
      vary: "Origin",
      ...(isAllowed(origin) && { "access-control-allow-origin": anyone ? "*" : origin }),
    };
    const isPreflight =
      context.req.method === "OPTIONS" && context.req.header("access-control-request-method") !== undefined;
    if (isPreflight) {
      const wanted = context.req.header("access-control-request-headers");
      return context.text(isAllowed(origin) ? "OK" : "Disallowed CORS origin", isAllowed(origin) ? 200 : 400, {
        ...headers,
        "content-type": "text/plain; charset=utf-8",
        "access-control-allow-methods": METHODS,
        "access-control-max-age": MAX_AGE_SECONDS,
        ...(wanted !== undefined && { "access-control-allow-headers": wanted }),
      });
    }
    await next();
    for (const [name, value] of Object.entries(headers)) context.header(name, value, { append: name === "vary" });
    return undefined;
  };
}
