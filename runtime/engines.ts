/** The engines of this worker, one per GPU or address: which of them runs a prompt, and what they have in common. */
import type { Catalogue } from "./comfyui/catalogue.ts";
import { type Graph, modelsOf } from "./comfyui/graph.ts";
import { Engine } from "./engine.ts";
import type { EngineState } from "./engine-state.ts";
import { EndpointError } from "./errors.ts";
import { InputFolder } from "./input-files.ts";
import type { EnginePlan } from "./launch.ts";
import { ModelFiles, type ModelFolders } from "./model-files.ts";
import { notReadyInTime, type Supervisor } from "./supervisor.ts";

/** The right to run prompts on one engine, alone. */
export interface Turn {
  readonly engine: Engine;
  /** Gives it back as soon as the engine is idle, which after an abort is later than the answer to the caller. */
  end(): void;
}

interface Waiter {
  models: ReadonlySet<string>;
  among: readonly Engine[];
  turn: PromiseWithResolvers<Turn>;
}

/** The worker's state is that of the engine that is best off. */
const BEST_FIRST: readonly EngineState[] = [
  ...(["ready", "busy", "warming", "starting", "restarting"] as const),
  ...(["draining", "stopped", "defunct", "failed"] as const),
];

export class Engines {
  readonly all: readonly Engine[];
  /** All engines on this machine find their models in the same folders. */
  readonly models: ModelFiles;
  /** Resolves when none of them will ever serve again. */
  readonly ended: Promise<void>;
  #modelFolders: ModelFolders | undefined;
  readonly #waiting = new Set<Waiter>();
  readonly #lent = new Set<Engine>();

  constructor(started: readonly { plan: EnginePlan; supervisor: Supervisor }[]) {
    const inputs = new Map<string, InputFolder>();
    const inputFolder = ({ folders }: EnginePlan) => {
      if (folders === undefined) return undefined;
      const shared = inputs.get(folders.input) ?? new InputFolder(folders.input);
      inputs.set(folders.input, shared);
      return shared;
    };
    this.all = started.map(({ plan, supervisor }) => new Engine(plan, supervisor, inputFolder(plan)));
    this.models = new ModelFiles(() => this.#modelFolders ?? {});
    this.ended = Promise.all(started.map(({ supervisor }) => supervisor.ended)).then(() => {});
    for (const { supervisor } of started) supervisor.machine.onTransition(() => this.#handOut());
  }

  get states(): EngineState[] {
    return this.all.map(({ supervisor }) => supervisor.state);
  }

  /** When the first of them began to serve for the first time. */
  get firstServedAt(): Date | undefined {
    const times = this.all.flatMap(({ supervisor }) => supervisor.firstServedAt ?? []);
    return times.length === 0 ? undefined : new Date(Math.min(...times.map(Number)));
  }

  get state(): EngineState {
    const states = new Set(this.states);
    return BEST_FIRST.find((state) => states.has(state))!;
  }

  get isServing(): boolean {
    return this.all.some(({ supervisor }) => supervisor.serving);
  }

  /** How many may still serve. */
  get alive(): number {
    return this.all.filter(({ supervisor }) => !supervisor.isOver).length;
  }

  /** What ended the last of them for good; undefined while one may serve. */
  get failure(): EndpointError | undefined {
    return this.alive > 0 ? undefined : this.all.find(({ supervisor }) => supervisor.failure)?.supervisor.failure;
  }

  /** One that answers, to be asked for what they have in common. */
  get current(): Engine | undefined {
    return (
      this.all.find(({ supervisor }) => supervisor.serving) ?? this.all.find(({ supervisor }) => supervisor.current)
    );
  }

  /**
   * The node catalogue; {@link models} knows its files from then on. Waits for the first engine to serve.
   * @throws as {@link Supervisor.whenServing}, when that is so of all engines.
   */
  async catalogue(signal: AbortSignal): Promise<Catalogue> {
    const { engine, catalogue } = await this.#firstServing(signal);
    // An external engine's disk need not be ours.
    if (engine.hasOwnDisk) this.#modelFolders ??= await engine.supervisor.current?.link.client.modelFolders();
    return catalogue;
  }

  async #firstServing(signal: AbortSignal): Promise<{ engine: Engine; catalogue: Catalogue }> {
    const enough = new AbortController();
    const until = AbortSignal.any([signal, enough.signal]);
    const serving = this.all.filter(({ supervisor }) => supervisor.serving);
    const asked = (serving.length > 0 ? serving : this.all).map(async (engine) => ({
      engine,
      catalogue: (await engine.supervisor.whenServing(until)).catalogue,
    }));
    try {
      return await Promise.any(asked);
    } catch (error) {
      throw (error as AggregateError).errors[0];
    } finally {
      enough.abort();
    }
  }

  /**
   * Waits for an engine that is free: one that has the graph's models loaded, if there is one, else the one that was idle for longest.
   * First come, first served.
   * @param only the one engine that will do.
   * @throws EndpointError as {@link Supervisor.whenServing}, when no engine will serve; the signal's reason.
   */
  async turn(graph: Graph, signal: AbortSignal, only?: Engine): Promise<Turn> {
    signal.throwIfAborted();
    const among = only ? [only] : this.all;
    const waiter: Waiter = { models: modelsOf(graph), among, turn: Promise.withResolvers() };
    const onAbort = () => {
      const isServing = among.some(({ supervisor }) => supervisor.serving);
      waiter.turn.reject((isServing ? undefined : notReadyInTime(signal.reason)) ?? signal.reason);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    this.#waiting.add(waiter);
    this.#handOut();
    try {
      return await waiter.turn.promise;
    } finally {
      this.#waiting.delete(waiter);
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Unloads the models and drops the caches of node results. */
  async forgetResults(): Promise<void> {
    await Promise.all(this.all.map((engine) => engine.forgetResults()));
  }

  /** Takes no more prompts from here on; those that run go on. */
  drain(reason: string): void {
    for (const { supervisor } of this.all) supervisor.drain(reason);
  }

  /** Ends the engines; returns when nothing of them is left. */
  async stop(): Promise<void> {
    await Promise.all(this.all.map(({ supervisor }) => supervisor.stop()));
  }

  #handOut(): void {
    for (const waiter of this.#waiting) {
      const { among, models, turn } = waiter;
      const alive = among.filter(({ supervisor }) => !supervisor.isOver);
      const free = alive.filter((engine) => engine.supervisor.serving && !this.#lent.has(engine));
      if (alive.length === 0) {
        const ended = among.find(({ supervisor }) => supervisor.failure)?.supervisor.failure;
        turn.reject(ended ?? new EndpointError("draining", "this worker is shutting down"));
      } else if (free.length > 0) {
        turn.resolve(this.#lend(bestFor(models, free)));
      } else continue;
      this.#waiting.delete(waiter);
    }
  }

  #lend(engine: Engine): Turn {
    this.#lent.add(engine);
    let isHeld = true;
    return {
      engine,
      end: () => {
        if (!isHeld) return;
        isHeld = false;
        void engine.idle.then(() => {
          this.#lent.delete(engine);
          this.#handOut();
        });
      },
    };
  }
}

function bestFor(models: ReadonlySet<string>, engines: readonly Engine[]): Engine {
  const known = (engine: Engine) => engine.loaded.intersection(models).size;
  return engines.reduce((best, engine) => {
    const gain = known(engine) - known(best);
    return gain > 0 || (gain === 0 && engine.usedAt < best.usedAt) ? engine : best;
  });
}
