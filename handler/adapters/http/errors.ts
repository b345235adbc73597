/** Errors as HTTP answers. */
import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { type EndpointError, toEndpointError, toErrorBody } from "../../../runtime/errors.ts";

/** Seconds after which a refused caller may try again. */
const RETRY_AFTER = "5";

/** Status and headers of an error; the body is the dialect's business. */
export function errorHeaders({ httpStatus }: EndpointError): {
  status: ContentfulStatusCode;
  headers: Record<string, string>;
} {
  const headers: Record<string, string> = {};
  if (httpStatus === 429 || httpStatus === 503) headers["retry-after"] = RETRY_AFTER;
  // What is left of a refused body must not be taken for the next request.
  if (httpStatus === 413) headers["connection"] = "close";
  return { status: httpStatus as ContentfulStatusCode, headers };
}

export function respondWithError(context: Context, thrown: unknown, invocationId?: string): Response {
  const error = toEndpointError(thrown);
  const { status, headers } = errorHeaders(error);
  return context.json(toErrorBody(error, invocationId), status, headers);
}
