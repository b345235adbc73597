/** What an event of Lambda is, by its form, and what becomes of it. */
import { EndpointError } from "../../../runtime/errors.ts";
import { parseJson } from "../../../runtime/json.ts";
import { withLogContext } from "../../log.ts";
import { Results } from "../../outputs/results.ts";
import type { AdapterContext } from "../adapter.ts";
import type { HttpPlatform } from "../http/invoke.ts";
import { workRoutes } from "../http/routes.ts";
import { payloadReader } from "../messages/payload-buckets.ts";
import { type Message, type Outcome, type RunContext, runMessage } from "../messages/run-message.ts";
import { type HttpEvent, isHttpEvent, maxAnswerBytes, toHttpAnswer, toRequest } from "./http-event.ts";
import {
  attemptOf,
  type EventMessage,
  eventMessages,
  isDone,
  runBatch,
  type SqsRecord,
  sqsRecords,
} from "./messages.ts";

/** Lambda carries 6 MiB; less what others may put around it. */
const MAX_ANSWER_BYTES = 5_500_000;
/** Of a message that takes all its time, the failure must still be written. */
const WRITING_MS = 3_000;

/** Which invocation of the function it is. */
export interface FunctionCall {
  requestId: string;
  /** What is left of the function's time; undefined: nobody knows. */
  timeoutMs: number | undefined;
}

interface Options {
  /** Whose objects messages may point to. */
  payloadBuckets: readonly string[];
  /** Fires when this worker begins to end. */
  stopped: AbortSignal;
}

export class EventHandler {
  readonly #context: AdapterContext;
  readonly #options: Options;
  readonly #routes: ReturnType<typeof workRoutes>;
  readonly #results: Results | undefined;

  constructor(context: AdapterContext, options: Options) {
    const { config, openStore } = context;
    this.#context = context;
    this.#options = options;
    this.#routes = workRoutes(context);
    this.#results =
      config.S3_BUCKET === undefined ? undefined : new Results(config.S3_BUCKET, config.S3_PREFIX, openStore);
  }

  /** @returns the function's result. @throws EndpointError that fails the invocation. */
  async handle(json: string, call: FunctionCall): Promise<unknown> {
    const event = parse(json);
    const deadline = new AbortController();
    const tooLate = () =>
      deadline.abort(
        new EndpointError("deadline_exceeded", "the function's time was over before the invocation's end"),
      );
    const timer = call.timeoutMs === undefined ? undefined : setTimeout(tooLate, call.timeoutMs);
    try {
      if (call.timeoutMs === 0) tooLate();
      deadline.signal.throwIfAborted();
      if (isHttpEvent(event)) return await this.#answerHttp(event, deadline.signal);
      const records = sqsRecords(event);
      if (records) return await this.#runRecords(records, call, deadline.signal);
      const messages = eventMessages(event, json);
      if (messages) return await this.#runMessages(messages, call, deadline.signal);
      return await this.#invoke(event, call, deadline.signal);
    } finally {
      clearTimeout(timer);
    }
  }

  async #answerHttp(event: HttpEvent, signal: AbortSignal): Promise<unknown> {
    const platform: HttpPlatform = { invocation: { source: "lambda", maxAnswerBytes: maxAnswerBytes(event) } };
    const response = await this.#routes.fetch(toRequest(event, signal), platform);
    return toHttpAnswer(response, event);
  }

  /** The event is the payload. */
  async #invoke(payload: unknown, { requestId }: FunctionCall, signal: AbortSignal): Promise<unknown> {
    const result = await this.#context.endpoint.invoke({
      id: requestId,
      source: "lambda",
      attempt: 1,
      dialect: "auto",
      payload,
      maxAnswerBytes: MAX_ANSWER_BYTES,
      signal,
    });
    if (result.status === "failed") throw result.error;
    return result.body;
  }

  async #runRecords(records: SqsRecord[], { timeoutMs }: FunctionCall, signal: AbortSignal) {
    // What had the time for itself and did not end will not end another time.
    const ownMs = records.length === 1 ? timeoutMs : undefined;
    const run = (record: SqsRecord) => {
      const { messageId, body, attributes } = record;
      const { AWSTraceHeader: traceId } = attributes;
      return withLogContext({ messageId, ...(traceId !== undefined && { traceId }) }, async () => {
        const outcomes = await this.#run({ id: messageId, body, attempt: attemptOf(record) }, ownMs, signal);
        return isDone(record, outcomes, this.#results !== undefined);
      });
    };
    return runBatch(records, { atOnce: this.#context.endpoint.capacity, run });
  }

  /** What may succeed another time fails the invocation, which Lambda then repeats; what is done by then is not done again. */
  async #runMessages(messages: EventMessage[], { requestId, timeoutMs }: FunctionCall, signal: AbortSignal) {
    const ownMs = messages.length === 1 ? timeoutMs : undefined;
    const outcomes: Outcome[] = [];
    for (const { id = requestId, body } of messages)
      outcomes.push(...(await this.#run({ id, body, attempt: 1 }, ownMs, signal)));
    const invocations = outcomes.map((outcome) => {
      if (outcome.status === "succeeded") return { id: outcome.id, status: outcome.status };
      if (outcome.status === "failed") return { id: outcome.id, status: outcome.status, error: outcome.error };
      throw outcome.error;
    });
    return { invocations };
  }

  async #run(message: Message, timeoutMs: number | undefined, signal: AbortSignal): Promise<Outcome[]> {
    const { endpoint, log } = this.#context;
    const { payloadBuckets: buckets, stopped: leaving } = this.#options;
    const read = payloadReader({ ...this.#context, buckets, results: this.#results }, signal);
    const context: RunContext = { endpoint, log, source: "lambda", results: this.#results, read, signal, leaving };
    if (timeoutMs !== undefined) context.timeoutMs = Math.max(timeoutMs - WRITING_MS, timeoutMs * 0.8);
    return runMessage(message, context);
  }
}

function parse(json: string): unknown {
  try {
    return parseJson(json);
  } catch (cause) {
    throw new EndpointError("invalid_json", `the event is not JSON: ${(cause as Error).message}`, { cause });
  }
}
