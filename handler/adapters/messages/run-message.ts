/** Runs a message once, however often it is delivered: by its result document, which is looked for first and written last. */
import { EndpointError, type ErrorBody, toEndpointError, toErrorBody } from "../../../runtime/errors.ts";
import type { Endpoint } from "../../endpoint.ts";
import type { ResultDocument, Results } from "../../outputs/results.ts";
import { invocationId } from "../../request/invocation-id.ts";
import { type ReadObject, unwrapMessage } from "./message.ts";
import { type Patience, patiently } from "./patiently.ts";

export interface Message {
  /** Of the message, not of what it asks for. */
  id: string;
  body: string;
  /** 1 for the first delivery. */
  attempt: number;
}

/**
 * What became of an id.
 * `busy`: this worker works on it already; `interrupted`: this worker had to leave it, which says nothing of the message.
 */
export type Outcome = { id: string } & (
  | { status: "succeeded"; body?: unknown; links?: unknown; document?: ResultDocument }
  | { status: "failed"; error: ErrorBody["error"] }
  | { status: "retry" | "busy" | "interrupted"; error: EndpointError }
);

/** Its signal ends whatever is done for the message, by an EndpointError; a run goes on when the worker is leaving. */
export interface RunContext extends Patience {
  endpoint: Endpoint;
  /** Which adapter it came by; for the log. */
  source: string;
  /** Without them, a message that comes again is run again. */
  results: Results | undefined;
  read: ReadObject;
  /** Milliseconds for the run. */
  timeoutMs?: number;
  /** How often the queue delivers a message: the last failure is final, whichever it is. */
  attemptLimit?(): Promise<number>;
  /** Where there are results, is told of each; of a failure before its document is written: where that stands, it was told. */
  tell?(document: ResultDocument): Promise<void>;
}

/** Deliveries of a queue that has no limit of its own. */
export const USUAL_ATTEMPTS = 10;
/** A message that killed ComfyUI so often does not get another. */
const MAX_CRASHES = 2;
const STORE_FAILURES = ["download_failed", "upload_failed"];
/** The failures that say nothing of the message. */
const INTERRUPTIONS = ["draining", "lease_lost"];

/**
 * Runs what a message asks for, unless that has its result. Never throws. A store that does not answer is waited for.
 * @returns an outcome for each payload in order, up to the first that is to be tried again; none for a message without work.
 */
export async function runMessage(message: Message, context: RunContext): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  try {
    const payloads = await patiently(() => unwrapMessage(message.body, context.read), context, isStoreOutage);
    for (const [index, payload] of payloads.entries()) {
      const fallback = payloads.length === 1 ? message.id : `${message.id}-${index}`;
      const outcome = await runAlone({ id: payloadId(payload) ?? fallback, payload, message }, context);
      outcomes.push(outcome);
      if (outcome.status !== "succeeded" && outcome.status !== "failed") break;
    }
    return outcomes;
  } catch (thrown) {
    return [await fail({ id: message.id, message }, thrown, context)];
  }
}

interface Job {
  id: string;
  payload: unknown;
  message: Message;
}

/** Ids at work in this process. */
const running = new Set<string>();

async function runAlone(job: Job, context: RunContext): Promise<Outcome> {
  const { id } = job;
  if (running.has(id)) {
    const error = new EndpointError("queue_full", `this worker runs a message with the id ${id} already`);
    return { id, status: "busy", error };
  }
  running.add(id);
  return runOnce(job, context).finally(() => running.delete(id));
}

async function runOnce(job: Job, context: RunContext): Promise<Outcome> {
  const { id, payload, message } = job;
  const { endpoint, signal, timeoutMs, source } = context;
  try {
    const standing = await findOutcome(id, context);
    if (standing) return standing;
    if (message.attempt > 1) await refuseKiller(job, context);
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
    return told ?? { id, status: "succeeded", body: result.body, links: result.links };
  } catch (thrown) {
    return fail(job, thrown, context);
  }
}

/** By the document that stands, if there is one. */
async function findOutcome(id: string, context: RunContext): Promise<Outcome | undefined> {
  const document = await ask(context, (results, signal) => results.find(id, signal));
  if (!document) return undefined;
  context.log.info({ id, status: document.status }, "the result of this message is there");
  if (document.status === "failed") return { id, status: "failed", error: document.error };
  await context.tell?.(document);
  return { id, status: "succeeded", document };
}

/** @throws EndpointError `crash_loop`: what kills even this process is known by coming again and again without a result. */
async function refuseKiller({ id, message: { attempt } }: Job, context: RunContext): Promise<void> {
  const crashes = (await ask(context, (results, signal) => results.crashes(id, signal))) ?? 0;
  if (crashes >= MAX_CRASHES) throw crashLoop(crashes);
  const limit = attempt > USUAL_ATTEMPTS ? await context.attemptLimit?.() : undefined;
  if (limit === undefined || attempt <= limit) return;
  throw new EndpointError("crash_loop", `the message came ${attempt} times and never got a result`);
}

async function fail({ id, message }: Omit<Job, "payload">, thrown: unknown, context: RunContext): Promise<Outcome> {
  const error = toEndpointError(thrown);
  if (context.signal.aborted || INTERRUPTIONS.includes(error.code)) return { id, status: "interrupted", error };
  try {
    const final = await finalError(error, { id, attempt: message.attempt }, context);
    if (!final) return { id, status: "retry", error };
    const standing = await findOutcome(id, context);
    if (standing) return standing;
    const failure = { id, status: "failed", error: toErrorBody(final).error } as const;
    const document = { ...failure, attempt: message.attempt, message_id: message.id };
    if (context.results) await context.tell?.(document);
    const isFirst = await ask(context, (results, signal) => results.writeFailure(document, signal));
    return (isFirst === false ? await findOutcome(id, context) : undefined) ?? failure;
  } catch (interruption) {
    return { id, status: "interrupted", error: toEndpointError(interruption) };
  }
}

/** The failure to report; undefined while the message may be tried again. */
async function finalError(
  error: EndpointError,
  { id, attempt }: { id: string; attempt: number },
  context: RunContext,
): Promise<EndpointError | undefined> {
  if (error.code === "comfyui_exited") {
    const crashes = (await ask(context, (results, signal) => results.countCrash(id, signal))) ?? 1;
    if (crashes >= MAX_CRASHES) return crashLoop(crashes, error);
  }
  if (!error.retryable) return error;
  const limit = (await context.attemptLimit?.()) ?? Number.POSITIVE_INFINITY;
  return attempt >= limit ? error : undefined;
}

function crashLoop(crashes: number, cause?: EndpointError): EndpointError {
  return new EndpointError("crash_loop", `ComfyUI died ${crashes} times of this message, which is not tried again`, {
    ...(cause && { cause }),
    details: { crashes, ...(cause && { last: cause.message }) },
  });
}

/** The payload's own id; one that cannot be a part of keys is refused by the request's parser. */
export function payloadId(payload: unknown): string | undefined {
  const { id, input } = (payload ?? {}) as { id?: unknown; input?: { id?: unknown } | null };
  return [id, input?.id].map((given) => invocationId.safeParse(given)).find(({ success }) => success)?.data;
}

/** Asks the store as long as that takes; undefined where there is none. */
async function ask<T>(
  context: RunContext,
  question: (results: Results, signal: AbortSignal) => Promise<T>,
): Promise<T | undefined> {
  const { results, signal } = context;
  return results && patiently(() => question(results, signal), context, isStoreFailure);
}

/** Of the worker's own bucket: whatever it is, no message can help it. */
const isStoreFailure = (error: unknown): error is EndpointError =>
  error instanceof EndpointError && STORE_FAILURES.includes(error.code);

/** A bucket that a message names may be misnamed or forbidden, for ever. */
export function isStoreOutage(error: unknown): boolean {
  const status = isStoreFailure(error) ? error.details?.["status"] : 400;
  return status === undefined || Number(status) >= 500;
}
