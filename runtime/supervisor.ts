/** Keeps one engine alive: starts it, warms it up, notices its end, restarts it, gives up, drains it. */
import { setTimeout as sleep } from "node:timers/promises";
import { Catalogue } from "./comfyui/catalogue.ts";
import type { EngineLink } from "./comfyui/engine-link.ts";
import { type EngineProcess, startEngineProcess } from "./engine-process.ts";
import { type EngineState, StateMachine } from "./engine-state.ts";
import { EndpointError, toEndpointError } from "./errors.ts";
import type { EnginePlan } from "./launch.ts";
import { waitUntilServing } from "./readiness.ts";

export interface SupervisorOptions {
  /** Crashes in a row, without a finished prompt between them, that are answered by a restart. */
  maxRestarts: number;
  /** How long a start may stand still (no output, no CPU time, nothing read). */
  startStallMs: number;
  /** How long an interrupted prompt may go on before its process is killed. */
  interruptGraceMs: number;
  /** Runs the warm-up graph; what it throws fails the start. */
  warmUp(link: EngineLink, catalogue: Catalogue): Promise<void>;
  onLine(line: string): void;
}

/** A serving engine: the link to the process, and what it can do. */
export interface ServingEngine {
  link: EngineLink;
  catalogue: Catalogue;
}

const MAX_BACKOFF_MS = 10_000;

export class Supervisor {
  readonly machine = new StateMachine();
  readonly #plan: EnginePlan;
  readonly #options: SupervisorOptions;
  /** Stops the waits of a start when draining begins. */
  readonly #drain = new AbortController();
  #process: EngineProcess;
  #serving: ServingEngine | undefined;
  #crashes = 0;
  #failure: EndpointError | undefined;
  #firstServedAt: Date | undefined;
  /** Resolves when the engine is stopped, failed or defunct for good. */
  readonly ended: Promise<void>;

  /** Starts the engine at once. */
  constructor(plan: EnginePlan, options: SupervisorOptions) {
    this.#plan = plan;
    this.#options = options;
    this.#process = startEngineProcess(plan, options.onLine);
    this.ended = this.#live();
  }

  get state(): EngineState {
    return this.machine.state;
  }

  /** Process id of the engine as it is now; undefined when somebody else runs it. */
  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** What ended it for good, when it failed or is defunct. */
  get failure(): EndpointError | undefined {
    return this.#failure;
  }

  /** When it first served; undefined while its first start goes on. */
  get firstServedAt(): Date | undefined {
    return this.#firstServedAt;
  }

  /** The engine that answers, whether it takes work or drains. */
  get current(): ServingEngine | undefined {
    return this.#serving;
  }

  /** The serving engine; undefined while it starts, warms up, restarts or has ended. */
  get serving(): ServingEngine | undefined {
    return this.state === "ready" || this.state === "busy" ? this.#serving : undefined;
  }

  /**
   * Waits for the engine to serve.
   * @throws EndpointError `draining`, or what ended the engine for good; `not_ready` when the invocation's time is over before, else the
   * signal's reason when it fires.
   */
  async whenServing(signal: AbortSignal): Promise<ServingEngine> {
    const changed = Promise.withResolvers<void>();
    const onAbort = () => changed.reject(notReadyInTime(signal.reason) ?? signal.reason);
    const check = () => (this.serving || this.isOver ? changed.resolve() : undefined);
    const unsubscribe = this.machine.onTransition(check);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      signal.throwIfAborted();
      check();
      await changed.promise;
    } finally {
      unsubscribe();
      signal.removeEventListener("abort", onAbort);
    }
    if (this.serving) return this.serving;
    throw this.#failure ?? new EndpointError("draining", "this worker is shutting down");
  }

  /** A prompt began: ready becomes busy. */
  took(): void {
    if (this.state === "ready") this.machine.transition("busy", "a prompt runs");
  }

  /** A prompt ended; one that ended with an answer of the engine's own clears the count of crashes. */
  released({ finished }: { finished: boolean }): void {
    if (finished) this.#crashes = 0;
    if (this.state === "busy") this.machine.transition("ready", "the prompt ended");
  }

  /** Takes no more prompts from here on; the one that runs goes on. */
  drain(reason: string): void {
    if (!this.isOver) this.machine.transition("draining", reason);
    this.#drain.abort(new EndpointError("draining", "this worker is shutting down"));
  }

  /** Ends the engine; returns when nothing of it is left. */
  async stop(): Promise<void> {
    if (!this.isOver) this.drain("stop");
    await this.#process.stop();
    await this.ended;
  }

  /** Whether it takes no prompts any more, for good. */
  get isOver(): boolean {
    return ["draining", "stopped", "failed", "defunct"].includes(this.state);
  }

  async #live(): Promise<void> {
    const { maxRestarts } = this.#options;
    for (let isFirst = true; ; isFirst = false) {
      const life = this.#process;
      await this.#bringUp(life).catch((error) => life.end(String(error), toEndpointError(error)));
      const reason = await life.ended;
      this.#serving?.link.socket.close();
      this.#serving = undefined;
      if (this.isOver) return this.#finish("stopped", reason);
      const failedStart = isFirst && (this.state === "starting" || this.state === "warming");
      if (failedStart) return this.#finish("failed", startFailure(reason));
      this.machine.transition("restarting", reason.message);
      if (++this.#crashes > maxRestarts && this.#plan.kind !== "external") return this.#finish("defunct", reason);
      // The first restart is at once: somebody waits. Only a repeated crash is given time.
      const backoffMs = Math.min(500 * (2 ** (this.#crashes - 1) - 1), MAX_BACKOFF_MS);
      await sleep(backoffMs, undefined, { signal: this.#drain.signal }).catch(() => {});
      if (this.isOver) return this.#finish("stopped", reason);
      this.machine.transition("starting", `restart ${this.#crashes} of ${maxRestarts}`);
      this.#process = startEngineProcess(this.#plan, this.#options.onLine);
    }
  }

  #finish(to: "stopped" | "failed" | "defunct", reason: EndpointError): void {
    if (to !== "stopped") this.#failure = reason;
    this.machine.transition(to, reason.message);
  }

  /** From a process that was just spawned to one that serves. */
  async #bringUp(life: EngineProcess): Promise<void> {
    // Read while the engine starts: Node's HTTP and the websocket's library take longer than all that starts it.
    const [{ createClient }, { openSocket }] = await Promise.all([
      import("./comfyui/client.ts"),
      import("./comfyui/socket.ts"),
    ]);
    const client = createClient(this.#plan.url);
    const signal = AbortSignal.any([life.gone, this.#drain.signal]);
    await waitUntilServing(client, { signal, stallMs: this.#stallMs, progressMark: life.progressMark });
    if (this.isOver) return;
    this.machine.transition("warming", "it answers");
    const link: EngineLink = {
      client,
      socket: openSocket(this.#plan.url),
      gone: life.gone,
      interruptGraceMs: this.#options.interruptGraceMs,
      condemn: (reason) => life.end(reason),
    };
    this.#serving = { link, catalogue: await Catalogue.load(client) };
    await this.#options.warmUp(link, this.#serving.catalogue);
    if (this.isOver) return;
    this.#firstServedAt ??= new Date();
    this.machine.transition("ready", "warm");
  }

  /** Somebody else's engine may be started whenever they like. */
  get #stallMs(): number {
    return this.#plan.kind === "external" ? Number.POSITIVE_INFINITY : this.#options.startStallMs;
  }
}

/** A caller whose time went by while the engine started may find another worker ready. */
export function notReadyInTime(reason: unknown): EndpointError | undefined {
  if (!(reason instanceof EndpointError) || reason.code !== "deadline_exceeded") return undefined;
  return new EndpointError("not_ready", "the engine did not serve within the invocation's time", { cause: reason });
}

/** An engine that dies while it starts did not start, whatever it died of; a failed warm-up keeps its own code. */
function startFailure(reason: EndpointError): EndpointError {
  if (reason.code !== "comfyui_exited") return reason;
  return new EndpointError("comfyui_start_failed", `ComfyUI did not start: ${reason.message}`, {
    cause: reason,
    details: { ...reason.details },
  });
}
