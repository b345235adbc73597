/** SageMaker's container contract, beside `/ping`: `POST /invocations`, real-time or asynchronous. */
import { Hono } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { toErrorBody } from "../../../runtime/errors.ts";
import { invocationId } from "../../request/invocation-id.ts";
import { errorHeaders } from "./errors.ts";
import { type HttpFace, invokeFromHttp, respondAccepted } from "./invoke.ts";

/** The platform cuts a request at 60 s and 6 MiB in real time, at an hour when it comes from its own queue; these are below. */
const REAL_TIME = { timeoutMs: 58_000, maxAnswerBytes: 5.5e6 };
const ASYNCHRONOUS = { timeoutMs: 3_590_000 };

/** The only header that reaches the container, and the caller. */
const ATTRIBUTES = "x-amzn-sagemaker-custom-attributes";

export const limitsOf = (isAsync: boolean) => (isAsync ? ASYNCHRONOUS : REAL_TIME);

export function sagemakerRoutes(face: HttpFace, isAsync: boolean): Hono {
  const limits = limitsOf(isAsync);
  return new Hono().post("/invocations", async (context) => {
    const attributes = context.req.header(ATTRIBUTES);
    if (attributes !== undefined) context.header(ATTRIBUTES, attributes);
    const id = invocationId.safeParse(attributes).data;
    const unwrap = (payload: unknown) => ({ payload, ...(id !== undefined && { id }) });
    const result = await invokeFromHttp(context, face, { dialect: "auto", unwrap, ...limits });
    if (result.status === "accepted") return respondAccepted(context, result.id);
    if (result.status === "succeeded") return context.json(result.body as object);
    const { status, headers } = errorHeaders(result.error);
    // Its callers see only whether trying again may help.
    const told: ContentfulStatusCode = result.error.retryable ? status : 400;
    return context.json(toErrorBody(result.error, result.id), told, headers);
  });
}
