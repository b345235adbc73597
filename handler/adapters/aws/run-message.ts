/** Runs a message once, however often it is delivered: by its result document, which is looked for first and written last. */
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import { EndpointError, type ErrorBody, toEndpointError, toErrorBody } from "../../../runtime/errors.ts";
import type { Endpoint } from "../../endpoint.ts";
import type { ResultDocument, Results } from "../../outputs/results.ts";
import { invocationId } from "../../request/invocation-id.ts";
import { type ReadObject, unwrapMessage } from "./message.ts";

export interface Message {
  /** Of the message, not of what it asks for. */
  id: string;
  body: string;
  /** 1 for the first delivery. */
  attempt: number;
}

/** What became of an id. `interrupted`: this worker had to leave it, which says nothing of the message. */
export type Outcome = { id: string } & (
  | { status: "succeeded"; body?: unknown; document?: ResultDocument }
  | { status: "failed"; error: ErrorBody["error"] }
  | { status: "retry" | "interrupted"; error: EndpointError }
);

export interface RunContext {
  endpoint: Endpoint;
  /** Which adapter it came by; for the log. */
  source: string;
  /** Without them, a message that comes again is run again. */
  results: Results | undefined;
  read: ReadObject;
  /** Ends whatever is done for the message; its reason is an EndpointError. */
  signal: AbortSignal;
  /** Milliseconds for the run. */
  timeoutMs?: number;
  /** Whether the queue would not deliver the message again: then a failure is final, whichever it is. */
  isLastAttempt?(): Promise<boolean>;
  /** Where there are results, is told of each; of a failure before its document is written: where that stands, it was told. */
  tell?(document: ResultDocument): Promise<void>;
  log: Logger;
}

/** A message that killed ComfyUI so often does not get another. */
const MAX_CRASHES = 2;
const STORE_RETRY_MS = 1_000;
const MAX_STORE_RETRY_MS = 30_000;
const STORE_FAILURES = ["download_failed", "upload_failed"];
/** The failures that say nothing of the message. */
const INTERRUPTIONS = ["draining", "lease_lost"];

/**
 * Runs what a message asks for, unless that has its result. Never throws. While the store does not answer, it waits until the signal.
 * @returns an outcome for each payload in order, up to the first that may be tried again; none for a message without work.
 */
export async function runMessage(message: Message, context: RunContext): Promise<Outcome[]> {
  try {
    const payloads = await patiently(() => unwrapMessage(message.body, context.read), context, isStoreOutage);
    const outcomes: Outcome[] = [];
    for (const [index, payload] of payloads.entries()) {
      const fallback = payloads.length === 1 ? message.id : `${message.id}-${index}`;
      const outcome = await runPayload({ id: payloadId(payload) ?? fallback, payload, message }, context);
      outcomes.push(outcome);
      if (outcome.status === "retry" || outcome.status === "interrupted") break;
    }
    return outcomes;
  } catch (thrown) {
    return [await fail(message.id, thrown, message, context)];
  }
}

interface Job {
  id: string;
  payload: unknown;
  message: Message;
}

async function runPayload({ id, payload, message }: Job, context: RunContext): Promise<Outcome> {
  const { endpoint, results, signal, timeoutMs, source } = context;
  try {
    const standing = await findOutcome(id, context);
    if (standing) return standing;
    const crashes =
      message.attempt > 1 ? await patiently(async () => results?.crashes(id, signal), context) : undefined;
    if (crashes !== undefined && crashes >= MAX_CRASHES) throw crashLoop(crashes);
    const result = await endpoint.invoke({
      id,
      payload,
      source,
      attempt: message.attempt,
      dialect: "auto",
      signal,
      ...(timeoutMs !== undefined && { timeoutMs }),
    });
    if (result.status === "failed") throw result.error;
    // Another copy may have been the first: what stands is what counts.
    const told = context.tell && (await findOutcome(id, context));
    return told ?? { id, status: "succeeded", body: result.body };
  } catch (thrown) {
    return fail(id, thrown, message, context);
  }
}

/** Of the document that stands, if there is one. */
async function findOutcome(id: string, { results, tell, log, ...context }: RunContext): Promise<Outcome | undefined> {
  const document = await patiently(async () => results?.find(id, context.signal), { ...context, log });
  if (!document) return undefined;
  log.info({ id, status: document.status }, "the result is there");
  if (document.status === "failed") return { id, status: "failed", error: document.error };
  await tell?.(document);
  return { id, status: "succeeded", document };
}

async function fail(id: string, thrown: unknown, message: Message, context: RunContext): Promise<Outcome> {
  const error = toEndpointError(thrown);
  const { results, signal } = context;
  if (signal.aborted || INTERRUPTIONS.includes(error.code)) return { id, status: "interrupted", error };
  try {
    const final = await finalError(id, error, context);
    if (!final) return { id, status: "retry", error };
    const failure = { id, status: "failed", error: toErrorBody(final).error } as const;
    if (!results) return failure;
    const document = { ...failure, attempt: message.attempt, message_id: message.id };
    await context.tell?.(document);
    const isFirst = await patiently(() => results.writeFailure(document, signal), context);
    return (isFirst ? undefined : await findOutcome(id, context)) ?? failure;
  } catch (interruption) {
    return { id, status: "interrupted", error: toEndpointError(interruption) };
  }
}

/** The failure to report; undefined while the message may be tried again. */
async function finalError(id: string, error: EndpointError, context: RunContext): Promise<EndpointError | undefined> {
  const { results, signal } = context;
  if (error.code === "comfyui_exited") {
    const crashes = (await patiently(async () => results?.countCrash(id, signal), context)) ?? 1;
    if (crashes >= MAX_CRASHES) return crashLoop(crashes, error);
  }
  if (!error.retryable || (await context.isLastAttempt?.())) return error;
  return undefined;
}

function crashLoop(crashes: number, cause?: EndpointError): EndpointError {
  return new EndpointError("crash_loop", `ComfyUI died ${crashes} times of this message, which is not tried again`, {
    ...(cause && { cause }),
    details: { crashes, ...(cause && { last: cause.message }) },
  });
}

/** The payload's own id; one that cannot be a part of keys is refused by the request's parser. */
function payloadId(payload: unknown): string | undefined {
  const { id, input } = (payload ?? {}) as { id?: unknown; input?: { id?: unknown } | null };
  return [id, input?.id].map((given) => invocationId.safeParse(given)).find(({ success }) => success)?.data;
}

/** Waits for the store as long as it fails in a way that passes. */
async function patiently<T>(
  work: () => Promise<T>,
  { signal, log }: Pick<RunContext, "signal" | "log">,
  passes: (error: unknown) => boolean = isStoreFailure,
): Promise<T> {
  for (let pauseMs = STORE_RETRY_MS; ; pauseMs = Math.min(pauseMs * 2, MAX_STORE_RETRY_MS)) {
    signal.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      if (!passes(error)) throw error;
      log.warn({ err: error }, `the object store fails; asking again in ${pauseMs / 1000} s`);
      await delay(pauseMs, undefined, { signal }).catch(() => {});
    }
  }
}

/** Of the worker's own bucket: whatever it is, no message can help it. */
const isStoreFailure = (error: unknown): error is EndpointError =>
  error instanceof EndpointError && STORE_FAILURES.includes(error.code);

/** A bucket that a message named may also be misnamed or forbidden, for ever. */
function isStoreOutage(error: unknown): boolean {
  const status = isStoreFailure(error) ? error.details?.["status"] : 400;
  return status === undefined || Number(status) >= 500;
}
