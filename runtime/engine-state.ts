/** The life of the engine as one table. Illegal edges throw: a wrong transition is a bug of ours, never a state of the world. */
import { EventEmitter } from "node:events";

const EDGES = {
  starting: ["warming", "failed", "restarting", "draining"], // it answers | it never came up | it came up before, and not now
  warming: ["ready", "failed", "restarting", "draining"],
  ready: ["busy", "restarting", "draining"],
  busy: ["ready", "restarting", "draining"],
  restarting: ["starting", "defunct", "draining"], // allowance left | used up
  draining: ["stopped"],
  stopped: [],
  failed: [],
  defunct: [],
} as const satisfies Record<string, readonly string[]>;

export type EngineState = keyof typeof EDGES;

export const ENGINE_STATES = Object.keys(EDGES) as readonly EngineState[];

export interface Transition {
  from: EngineState;
  to: EngineState;
  reason: string;
  /** Time spent in `from`. */
  elapsedMs: number;
}

export class StateMachine {
  #state: EngineState = "starting";
  #since = performance.now();
  readonly #stays: Partial<Record<EngineState, number>> = {};
  readonly #events = new EventEmitter<{ transition: [Transition] }>();

  get state(): EngineState {
    return this.#state;
  }

  /** Milliseconds that the last stay in a state took; undefined while there was none that is over. */
  lastStayMs(state: EngineState): number | undefined {
    return this.#stays[state];
  }

  /** @throws Error when the table has no such edge. */
  transition(to: EngineState, reason: string): void {
    const from = this.#state;
    if (!(EDGES[from] as readonly EngineState[]).includes(to))
      throw new Error(`no way from ${from} to ${to} (${reason})`);
    const elapsedMs = Math.round(performance.now() - this.#since);
    this.#stays[from] = elapsedMs;
    this.#state = to;
    this.#since = performance.now();
    this.#events.emit("transition", { from, to, reason, elapsedMs });
  }

  /** Calls back on every transition; returns the end of it. */
  onTransition(listener: (transition: Transition) => void): () => void {
    this.#events.on("transition", listener);
    return () => this.#events.off("transition", listener);
  }
}
