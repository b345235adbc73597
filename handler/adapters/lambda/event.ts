/** What an event of Lambda is, by its form, and what becomes of it. */
import { EndpointError } from "../../../runtime/errors.ts";
import { parseJson } from "../../../runtime/json.ts";
import type { AdapterContext } from "../adapter.ts";
import { workRoutes } from "../http/routes.ts";
import { isHttpEvent, LAMBDA_ANSWER_BYTES, maxAnswerBytes, toHttpAnswer, toRequest } from "./http-event.ts";

/** Which invocation of the function it is. */
export interface FunctionCall {
  requestId: string;
  /** What is left of the function's time. */
  timeoutMs?: number;
}

/** @returns the function's result. @throws EndpointError that fails the invocation. */
export type EventHandler = (event: string, call: FunctionCall) => Promise<unknown>;

export function createEventHandler({ endpoint, config, log }: AdapterContext): EventHandler {
  const routes = workRoutes(endpoint, config, log);
  /** Nobody can take an invocation back. */
  const { signal } = new AbortController();

  return async (json, { requestId, ...limits }) => {
    const event = parse(json);
    if (limits.timeoutMs === 0)
      throw new EndpointError("deadline_exceeded", "the function's time was over when the invocation came");
    const invocation = { source: "lambda", ...limits };
    if (isHttpEvent(event)) {
      const platform = { invocation: { ...invocation, maxAnswerBytes: maxAnswerBytes(event) } };
      return toHttpAnswer(await routes.fetch(toRequest(event), platform), event);
    }
    const result = await endpoint.invoke({
      ...invocation,
      id: requestId,
      attempt: 1,
      dialect: "auto",
      payload: event,
      maxAnswerBytes: LAMBDA_ANSWER_BYTES,
      signal,
    });
    if (result.status === "failed") throw result.error;
    return result.body;
  };
}

function parse(json: string): unknown {
  try {
    return parseJson(json);
  } catch (cause) {
    throw new EndpointError("invalid_json", `the event is not JSON: ${(cause as Error).message}`, { cause });
  }
}
