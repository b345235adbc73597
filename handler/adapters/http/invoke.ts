/** From an HTTP request to an invocation: under its id, within its time, with or without a caller who waits. */
import { randomUUID } from "node:crypto";
import type { Context } from "hono";
import type { Logger } from "pino";
import { EndpointError } from "../../../runtime/errors.ts";
import type { Endpoint } from "../../endpoint.ts";
import type { Dialect, Invocation, InvocationResult } from "../../invocation.ts";
import type { Results } from "../../outputs/results.ts";
import { invalidField } from "../../request/field-errors.ts";
import { invocationId } from "../../request/invocation-id.ts";
import type { BodyReader } from "./body.ts";
import { type Courier, courierOf, markFinal } from "./couriers.ts";
import type { Job, Jobs } from "./jobs.ts";
import { runOnce } from "./once.ts";

/** What a platform that brings HTTP requests as events hands to the routes (Hono's `env`). */
export interface HttpPlatform {
  invocation?: Pick<Invocation, "source" | "maxAnswerBytes">;
}

/** What the routes of every dialect work with. */
export interface HttpFace {
  endpoint: Endpoint;
  bodies: BodyReader;
  jobs: Jobs;
  /** Undefined without a bucket. */
  results: Results | undefined;
  log: Logger;
}

/** What a body says. */
export interface Unwrapped {
  payload: unknown;
  /** Where the payload decides. */
  dialect?: Dialect;
  /** Work that has one is done once, see {@link Jobs}. */
  id?: string;
  attempt?: number;
  timeoutMs?: number;
}

export interface HttpWork {
  dialect: Dialect;
  /** For a body that is not simply JSON. */
  parse?(text: string): unknown;
  /** For a body that is not simply the payload. */
  unwrap?(body: unknown): Unwrapped;
  /** Whether a result in the bucket, of this worker or another, stands for the work of its id. */
  isOnce?: boolean;
  /** Whether the work goes on when the caller leaves. */
  isDetached?: boolean;
  /** How long the caller waits for the result; without it, as long as it takes. */
  waitMs?: number;
  /** The platform's own limits. */
  timeoutMs?: number;
  maxAnswerBytes?: number;
}

/** `accepted`: it goes on, and `jobs` knows it under the id. */
export type HttpResult = InvocationResult | { id: string; status: "accepted" };

/** @throws EndpointError of the headers, the body, or of the endpoint's refusal before the body is read. */
export async function invokeFromHttp(context: Context, face: HttpFace, work: HttpWork): Promise<HttpResult> {
  try {
    const result = await invoke(context, face, work);
    if (result.status === "failed" && !result.error.retryable) markFinal(context);
    return result;
  } catch (error) {
    if (!(error instanceof EndpointError && error.retryable)) markFinal(context);
    throw error;
  }
}

/** 202, and where the result will be. */
export function respondAccepted(context: Context, id: string): Response {
  const headers = { location: `/status/${encodeURIComponent(id)}`, "preference-applied": "respond-async" };
  return context.json({ id, status: "accepted" }, 202, headers);
}

/** What a request says besides its body. */
interface Call {
  source: string;
  idempotencyKey: string | undefined;
  timeoutMs: number | undefined;
  waitMs: number | undefined;
  courier: Courier | undefined;
  maxAnswerBytes: number | undefined;
  /** Fires when the caller leaves. */
  gone: AbortSignal;
}

async function invoke(context: Context, face: HttpFace, work: HttpWork): Promise<HttpResult> {
  const { endpoint, bodies } = face;
  const call = readCall(context, work);
  endpoint.admit(call.source);
  const { unwrap = (payload): Unwrapped => ({ payload }) } = work;
  const answered = Promise.withResolvers<HttpResult>();
  // The body counts as in memory until the work is done, which may be after the answer.
  const handle = async (body: unknown): Promise<void> => {
    const invocation = toInvocation(unwrap(body), call, work);
    const key = invocation.id ?? invocation.idempotencyKey;
    if (key === undefined) return answered.resolve(await endpoint.invoke({ ...invocation, signal: call.gone }));
    // Others may have come while the body was read; what is accepted must not be refused afterwards.
    endpoint.admit(call.source);
    await follow(orderJob(key, invocation, face, work), call, work, answered.resolve);
  };
  bodies.read(context, handle, work.parse).catch(answered.reject);
  return answered.promise;
}

/** @throws EndpointError `invalid_request` that names the header. */
function readCall(context: Context, work: HttpWork): Call {
  const platform = (context.env as HttpPlatform | undefined)?.invocation;
  const wantsAsync = /\brespond-async\b/i.test(context.req.header("prefer") ?? "");
  return {
    idempotencyKey: readIdempotencyKey(context),
    timeoutMs: readTimeout(context),
    waitMs: work.waitMs ?? (wantsAsync ? 0 : undefined),
    courier: courierOf(context),
    source: platform?.source ?? "http",
    maxAnswerBytes: platform?.maxAnswerBytes,
    gone: clientGone(context.req.raw.signal),
  };
}

function toInvocation(said: Unwrapped, call: Call, work: HttpWork): Omit<Invocation, "signal"> {
  const { source, idempotencyKey, courier } = call;
  const { payload, dialect = work.dialect, attempt = courier?.attempt ?? 1 } = said;
  const own = said.id ?? courier?.id;
  // Who does not wait needs an id to come back with.
  const id = own ?? (call.waitMs === undefined ? undefined : (idempotencyKey ?? idIn(payload) ?? randomUUID()));
  const maxAnswerBytes = least([courier?.maxAnswerBytes, work.maxAnswerBytes, call.maxAnswerBytes]);
  const timeoutMs = least([call.timeoutMs, work.timeoutMs, said.timeoutMs]);
  return {
    source,
    attempt,
    dialect,
    payload,
    ...(id !== undefined && { id }),
    ...(idempotencyKey !== undefined && { idempotencyKey }),
    ...(maxAnswerBytes !== undefined && { maxAnswerBytes }),
    ...(timeoutMs !== undefined && { timeoutMs }),
  };
}

function orderJob(id: string, invocation: Omit<Invocation, "signal">, face: HttpFace, { isOnce }: HttpWork): Job {
  const { endpoint, jobs, results } = face;
  const { dialect, payload, attempt } = invocation;
  const run = (signal: AbortSignal) => {
    const invoked = () => endpoint.invoke({ ...invocation, signal });
    return isOnce && results ? runOnce({ id, attempt, signal }, results, invoked) : invoked();
  };
  return jobs.order({ id, dialect, payload, run });
}

/** Answers with the job's result, or that it is accepted when the caller has waited long enough; resolves when the job is done. */
async function follow(
  job: Job,
  { waitMs, courier, gone }: Call,
  { isDetached }: HttpWork,
  answer: (result: HttpResult) => void,
): Promise<void> {
  const accept = () => {
    job.detach();
    answer({ id: job.id, status: "accepted" });
  };
  if (waitMs === 0) accept();
  else if (isDetached || courier?.comesAgain) job.detach();
  else job.attach(gone);
  const patience = waitMs ? setTimeout(accept, waitMs) : undefined;
  answer(await job.finished);
  clearTimeout(patience);
}

/** @throws EndpointError `invalid_request`. */
function readIdempotencyKey(context: Context): string | undefined {
  const key = context.req.header("idempotency-key");
  const parsed = invocationId.optional().safeParse(key);
  if (!parsed.success) throw invalidField("Idempotency-Key", parsed.error.issues[0]!.message);
  return key;
}

/** @throws EndpointError `invalid_request`. */
function readTimeout(context: Context): number | undefined {
  const text = context.req.header("x-timeout-ms");
  if (text === undefined) return undefined;
  if (!/^[1-9]\d{0,11}$/.test(text)) throw invalidField("X-Timeout-Ms", "must be a number of milliseconds above 0");
  return Number(text);
}

function least(limits: (number | undefined)[]): number | undefined {
  const given = limits.filter((limit) => limit !== undefined);
  return given.length === 0 ? undefined : Math.min(...given);
}

/** The id that a payload carries, bare or as `input`. */
function idIn(payload: unknown): string | undefined {
  const { id, input } = (payload ?? {}) as { id?: unknown; input?: { id?: unknown } };
  return invocationId.safeParse(id ?? input?.id).data;
}

/** A platform that ends a request says why; a connection that closes does not. */
function clientGone(connection: AbortSignal): AbortSignal {
  const gone = new AbortController();
  const abort = () => {
    const isTold = connection.reason instanceof EndpointError;
    gone.abort(isTold ? connection.reason : new EndpointError("cancelled", "the caller went away"));
  };
  if (connection.aborted) abort();
  else connection.addEventListener("abort", abort, { once: true });
  return gone.signal;
}
