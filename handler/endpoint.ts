/** What every adapter talks to: takes invocations in, bounds them in number and time, answers each exactly once, and drains. */
import { randomUUID } from "node:crypto";
import { EventEmitter } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { Engines } from "../runtime/engines.ts";
import { EndpointError, toEndpointError } from "../runtime/errors.ts";
import { Permit } from "../runtime/permit.ts";
import { Activity, progressLog } from "./activity.ts";
import { type Answer, handle, type ParsedInvocation } from "./handle.ts";
import type { Invocation, InvocationResult } from "./invocation.ts";
import { withLogContext } from "./log.ts";
import type { Outputs } from "./outputs/deliver.ts";
import { withinLimit } from "./outputs/within-limit.ts";
import { parseRequest } from "./request/envelope.ts";
import type { SdapiWorker } from "./sdapi-worker.ts";

export interface EndpointOptions {
  engines: Engines;
  outputs: Outputs;
  /** What A1111's requests go by. */
  sdapi: SdapiWorker;
  log: Logger;
  /** Invocations that may wait for the engine; 0: any number. */
  maxQueueDepth: number;
  timeoutMs: number;
  /** `extra_data` of every prompt, but for what its request has of its own. */
  extraData: Readonly<Record<string, unknown>>;
}

type Watch = Pick<ParsedInvocation, "wantsPreviews" | "onReady" | "onStart" | "onProgress" | "onPreview">;
type Taken = Omit<ParsedInvocation, keyof Watch>;

type Outcome = Answer | EndpointError;

/** Previews cost every step some milliseconds, so that only they get them who ask again and again. */
const PREVIEW_INTEREST_MS = 60_000;
/** What was taken in the moment of the signal has so long to get to the engine before that takes nothing more. */
const LAST_START_MS = 2_000;

interface InFlight {
  finished: Promise<unknown>;
  abort: AbortController;
  activity: Activity;
  /** Resolves when it stands in the engines' line, or has ended. */
  prepared: Promise<void>;
}

export class Endpoint {
  readonly engines: Engines;
  readonly sdapi: SdapiWorker;
  readonly #options: EndpointOptions;
  readonly #inFlight = new Set<InFlight>();
  readonly #events = new EventEmitter<{ load: [inFlight: number]; end: [source: string, outcome: Outcome] }>();
  readonly #gates = new Set<() => Promise<void>>();
  readonly #turns = new Permit();
  #isDraining = false;
  #previewsWantedUntil = 0;

  constructor(options: EndpointOptions) {
    this.#options = options;
    this.engines = options.engines;
    this.sdapi = options.sdapi;
  }

  /** Invocations that can run at once; a platform that hands work out one by one takes no more. */
  get capacity(): number {
    return Math.max(1, this.engines.alive);
  }

  /** Invocations that run or wait. */
  get inFlight(): number {
    return this.#inFlight.size;
  }

  /** Those of them that no engine has begun with. */
  get waiting(): number {
    return [...this.#inFlight].filter(({ activity }) => activity.isWaiting).length;
  }

  /** Calls back when an invocation begins or ends, with how many are in flight; returns the end of it. */
  onLoad(listener: (inFlight: number) => void): () => void {
    this.#events.on("load", listener);
    return () => this.#events.off("load", listener);
  }

  /** Calls back with what became of each invocation, those included that were refused; it must not throw. */
  onEnd(listener: (source: string, outcome: Outcome) => void): void {
    this.#events.on("end", listener);
  }

  /** What every invocation waits for before its work begins; it must not reject. Returns the end of it. */
  beforeWork(gate: () => Promise<void>): () => void {
    this.#gates.add(gate);
    return () => this.#gates.delete(gate);
  }

  /** Resolves when the engine serves. @throws EndpointError that ended it for good, `draining`, or the signal's reason. */
  async whenServing(signal: AbortSignal): Promise<void> {
    await this.engines.catalogue(signal);
  }

  /** The oldest invocation in flight whose kind begins so. */
  activity(kind: string): Activity | undefined {
    return this.#oldest(kind)?.activity;
  }

  /** Ends the oldest invocation in flight whose kind begins so; its caller is answered with `cancelled`. */
  interrupt(kind: string): void {
    this.#oldest(kind)?.abort.abort(new EndpointError("cancelled", "the generation was interrupted"));
  }

  /** Somebody looks at previews: prompts that begin within the next minute make them. */
  wantPreviews(): void {
    this.#previewsWantedUntil = Date.now() + PREVIEW_INTEREST_MS;
  }

  #oldest(kind: string) {
    return [...this.#inFlight].find(({ activity }) => activity.kind.startsWith(kind));
  }

  /** Why no invocation would be taken now; undefined when one would. */
  get #refusal(): EndpointError | undefined {
    const { maxQueueDepth } = this.#options;
    // Engines beyond repair are also drained; their callers are told why.
    const { failure } = this.engines;
    if (failure) return failure;
    if (this.#isDraining) return new EndpointError("draining", "this worker is shutting down");
    // One runs on each engine, the others wait.
    if (maxQueueDepth > 0 && this.#inFlight.size >= maxQueueDepth + this.capacity) {
      return new EndpointError("queue_full", `${maxQueueDepth} invocations wait already, which is the limit`);
    }
    return undefined;
  }

  /** Keeps a platform from reading a payload in vain. @throws EndpointError why no invocation would be taken now. */
  admit(source: string): void {
    const refusal = this.#refusal;
    if (!refusal) return;
    this.#events.emit("end", source, refusal);
    throw refusal;
  }

  /** Runs one invocation; never throws, always ends: by success, failure, deadline, or the drain. */
  async invoke(invocation: Invocation): Promise<InvocationResult> {
    const refusal = this.#refusal;
    let parsed: Taken;
    try {
      if (refusal) throw refusal;
      const asked = parseRequest(invocation.payload, invocation.dialect, this.sdapi.settings);
      const request = { ...asked, extraData: { ...this.#options.extraData, ...asked.extraData } };
      parsed = { ...invocation, request, id: invocation.id ?? request.id ?? invocation.idempotencyKey ?? randomUUID() };
    } catch (error) {
      const { id = invocation.idempotencyKey ?? randomUUID(), source } = invocation;
      return withLogContext({ invocationId: id, platform: source }, () => this.#failed(id, source, error));
    }
    const abort = new AbortController();
    const activity = new Activity(parsed.request.kind);
    const context = { invocationId: parsed.id, platform: invocation.source };
    const { promise: prepared, resolve: onReady } = Promise.withResolvers<void>();
    const finished = withLogContext(context, () =>
      this.#run(parsed, abort, this.#watch(activity, onReady, parsed.tell)),
    );
    const entry = { abort, activity, finished, prepared };
    this.#inFlight.add(entry);
    this.#events.emit("load", this.inFlight);
    return finished.finally(() => {
      onReady();
      this.#inFlight.delete(entry);
      this.#events.emit("load", this.inFlight);
    });
  }

  async #run(invocation: Taken, abort: AbortController, watch: Watch): Promise<InvocationResult> {
    const { engines, outputs, log } = this.#options;
    const { id, source, maxAnswerBytes } = invocation;
    const timeoutMs = Math.min(this.#options.timeoutMs, invocation.timeoutMs ?? Number.POSITIVE_INFINITY);
    const tooLate = () =>
      abort.abort(new EndpointError("deadline_exceeded", `the invocation took longer than ${timeoutMs / 1000} s`));
    const deadline = setTimeout(tooLate, timeoutMs);
    try {
      // How deep the queue is, for who draws it from the log.
      const ahead = this.#inFlight.size;
      log.info({ kind: invocation.request.kind, attempt: invocation.attempt, ahead }, "invocation received");
      const signal = AbortSignal.any([invocation.signal, abort.signal]);
      await Promise.all([...this.#gates].map((gate) => gate()));
      const answer = await handle({ ...invocation, signal, ...watch }, { engines, outputs, turns: this.#turns, log });
      const body = maxAnswerBytes === undefined ? answer.body : withinLimit(answer, maxAnswerBytes);
      this.#events.emit("end", source, answer);
      return { id, status: "succeeded", body, links: answer.links };
    } catch (error) {
      return this.#failed(id, source, error);
    } finally {
      clearTimeout(deadline);
    }
  }

  #watch(activity: Activity, onReady: () => void, tell?: Invocation["tell"]): Watch {
    const advance = progressLog(activity, this.#options.log);
    return {
      wantsPreviews: Date.now() < this.#previewsWantedUntil,
      onReady,
      onStart: (graph) => activity.start(graph),
      onProgress: (progress) => {
        advance(progress);
        tell?.(progress);
      },
      onPreview: (picture) => {
        activity.preview = picture;
      },
    };
  }

  #failed(id: string, source: string, thrown: unknown): InvocationResult {
    const error = toEndpointError(thrown);
    this.#events.emit("end", source, error);
    this.#options.log[error.httpStatus >= 500 ? "error" : "warn"](
      { code: error.code, err: error },
      "invocation failed",
    );
    return { id, status: "failed", error };
  }

  /**
   * Takes no more work, and lets what runs finish until the grace is over; then interrupts it. Returns when every invocation is answered.
   */
  async drain(graceMs: number): Promise<void> {
    this.#isDraining = true;
    const reason = new EndpointError(
      "draining",
      "this worker is shutting down and the invocation did not finish in time",
    );
    const clock = setTimeout(() => {
      for (const { abort } of this.#inFlight) abort.abort(reason);
    }, graceMs);
    if (this.engines.isServing)
      await Promise.race([this.#allPrepared(), sleep(LAST_START_MS, undefined, { ref: false })]);
    this.engines.drain("shutdown");
    await Promise.allSettled([...this.#inFlight].map(({ finished }) => finished));
    clearTimeout(clock);
  }

  #allPrepared(): Promise<unknown> {
    return Promise.all([...this.#inFlight].map(({ prepared }) => prepared));
  }
}
