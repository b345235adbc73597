/** What the pushed events of all brokers have in common: a 2xx takes the event away, anything else brings it again. */
import type { Context } from "hono";
import { EndpointError, toEndpointError, toErrorBody } from "../../../runtime/errors.ts";
import { parseJson } from "../../../runtime/json.ts";
import { respondWithError } from "./errors.ts";
import { type HttpFace, invokeFromHttp, type Unwrapped } from "./invoke.ts";

export interface Push {
  parse?(text: string): unknown;
  /** The event of a body; what it throws is answered as an error: it was no event of this broker's. */
  open(body: unknown): PushedEvent;
}

export interface PushedEvent {
  id: string;
  /** @throws EndpointError of an event that no try will make better. */
  read(): { payload: unknown; attempt?: number };
}

/**
 * Runs an event's payload; the work goes on if the broker hangs up, and the event that it then sends again joins it.
 * @param succeed answers for an invocation that succeeded.
 * @returns also 204, the acknowledgement, for what failed for good.
 */
export async function invokeFromPush(
  context: Context,
  face: HttpFace,
  { parse, open }: Push,
  succeed: (id: string, body: unknown) => Response,
): Promise<Response> {
  let id: string | undefined;
  const unwrap = (body: unknown): Unwrapped => {
    const event = open(body);
    id = event.id;
    return { id, ...event.read() };
  };
  try {
    const work = { dialect: "auto" as const, unwrap, isDetached: true, isOnce: true, ...(parse && { parse }) };
    const result = await invokeFromHttp(context, face, work);
    if (result.status === "succeeded") return succeed(result.id, result.body);
    if (result.status === "failed" && result.error.retryable) return respondWithError(context, result.error, result.id);
    // The endpoint has logged it; the result document tells it, without a bucket `/status/ID` for a while.
    return context.body(null, 204);
  } catch (thrown) {
    const error = toEndpointError(thrown);
    if (error.retryable || id === undefined) throw thrown;
    face.log.warn({ code: error.code, err: error }, "an event that can never succeed is acknowledged");
    const failure = { id, status: "failed", attempt: 1, error: toErrorBody(error).error } as const;
    await face.results?.writeFailure(failure, context.req.raw.signal);
    return context.body(null, 204);
  }
}

/** @throws EndpointError `invalid_json` when it is not base64 of JSON. */
export function decodeJson(base64: string): unknown {
  try {
    return parseJson(Buffer.from(base64, "base64").toString("utf8"));
  } catch (cause) {
    throw new EndpointError("invalid_json", "the data of the event are not base64 of JSON", { cause });
  }
}
