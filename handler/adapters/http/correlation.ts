/** What ties an answer, and the log lines of its invocation, to the caller's own records. */
import type { MiddlewareHandler } from "hono";
import { withLogContext } from "../../log.ts";

/** W3C's trace context, and what most proxies send; by the names that log lines have for them. */
const HEADERS = { traceparent: "traceparent", tracestate: "tracestate", "x-request-id": "requestId" } as const;

/** Sends them back as they came. */
export const correlation: MiddlewareHandler = async (context, next) => {
  const fields: Record<string, string> = {};
  for (const [header, field] of Object.entries(HEADERS)) {
    const value = context.req.header(header);
    if (value === undefined) continue;
    context.header(header, value);
    fields[field] = value;
  }
  await withLogContext(fields, next);
};
