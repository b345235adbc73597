/** Errors in A1111's shapes: FastAPI's list for fields at fault, its own four keys for the rest. */
import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { type EndpointError, type ErrorCode, toEndpointError } from "../../../../runtime/errors.ts";
import type { FieldIssue } from "../../../request/field-errors.ts";
import { errorHeaders } from "../errors.ts";

/** One entry of FastAPI's `detail`, as pydantic 1 writes it. */
export interface FieldError {
  loc: (string | number)[];
  msg: string;
  type: string;
  ctx?: Record<string, unknown>;
}

/** Ends a request with an answer of A1111's own. */
export class SdapiError extends Error {
  readonly status: ContentfulStatusCode;
  readonly body: object;

  constructor(status: ContentfulStatusCode, body: object) {
    super(JSON.stringify(body));
    this.status = status;
    this.body = body;
  }
}

export const fieldError = (...detail: FieldError[]) => new SdapiError(422, { detail });

/** @param error the class that A1111 would name. */
export const fourKeys = (status: ContentfulStatusCode, error: string, detail: string) =>
  new SdapiError(status, { error, detail, body: "", errors: "" });

/** FastAPI's own answer, of no handler of A1111's. */
export const frameworkError = (status: ContentfulStatusCode, detail: string) => new SdapiError(status, { detail });

/** pydantic 1 names the kind of each of its messages. */
const TYPES: Readonly<Record<string, string>> = {
  "value is not a valid integer": "type_error.integer",
  "value is not a valid float": "type_error.float",
  "value could not be parsed to a boolean": "type_error.bool",
  "str type expected": "type_error.str",
  "value is not a valid dict": "type_error.dict",
  "value is not a valid list": "type_error.list",
  "none is not an allowed value": "type_error.none.not_allowed",
  "field required": "value_error.missing",
};

/** Where A1111's routes have a status of their own; an unknown sampler was 404 up to 1.9.4. */
const STATUS: Partial<Record<ErrorCode, ContentfulStatusCode>> = { unknown_sampler: 404, unknown_model: 404 };

/** A1111 fails with 500 when it does not know these. */
const CRASHED_ON = /^(hr_)?upscaler|^(hr|refiner)_checkpoint/;

function statusOf(error: EndpointError, usual: ContentfulStatusCode): ContentfulStatusCode {
  if (wordsOf(error) === INVALID_IMAGE) return 400;
  if (error.code === "unknown_model" && CRASHED_ON.test(String(error.details?.["field"]))) return usual;
  return STATUS[error.code] ?? usual;
}

export function respondWithSdapiError(context: Context, thrown: unknown): Response {
  if (thrown instanceof SdapiError) return context.json(thrown.body, thrown.status);
  const error = toEndpointError(thrown);
  const { status, headers } = errorHeaders(error);
  return context.json(bodyOf(error), statusOf(error, status), headers);
}

function bodyOf(error: EndpointError): object {
  const issues = error.details?.["issues"] as FieldIssue[] | undefined;
  if (error.code === "invalid_request" && issues) {
    const detail = issues.map(({ field, message, type, ctx }) => ({
      loc: ["body", ...field.split(".").filter(Boolean).map(asLocation)],
      msg: message,
      type: type ?? TYPES[message] ?? "value_error",
      ...(ctx && { ctx }),
    }));
    return { detail };
  }
  if (OF_A1111.test(error.message)) return { error: "HTTPException", detail: error.message, body: "", errors: "" };
  const words = wordsOf(error);
  return {
    // FastAPI's, of the exceptions that A1111 raises itself.
    error: error.code === "not_found" || words === INVALID_IMAGE ? "HTTPException" : error.code,
    detail: words ?? error.message,
    body: error.details ?? "",
    errors: words === undefined ? "" : error.message,
  };
}

/** What A1111 says too, in the same words and of the same requests. */
const OF_A1111 = /^Script '.*' not found$|^Cannot have a selectable script in the always on scripts params$/s;

const INVALID_IMAGE = "Invalid encoded image";

/** A1111's own words for it, where clients may look for them; ours say more. */
function wordsOf({ code, message, details }: EndpointError): string | undefined {
  if (code === "unknown_sampler" && /^sampler_/.test(String(details?.["field"]))) return "Sampler not found";
  return code === "invalid_request" && message.startsWith(INVALID_IMAGE) ? INVALID_IMAGE : undefined;
}

/** Places in a list are numbers. */
const asLocation = (part: string) => (/^\d+$/.test(part) ? Number(part) : part);
