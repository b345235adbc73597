/** How far an invocation is, for those who ask while it runs. */
import type { Logger } from "pino";
import type { Graph } from "../runtime/comfyui/graph.ts";
import type { Progress } from "../runtime/comfyui/prompt-record.ts";

const SAMPLERS: ReadonlySet<string> = new Set([
  "KSampler",
  "KSamplerAdvanced",
  "SamplerCustom",
  "SamplerCustomAdvanced",
]);

/** A long prompt shows in the log that it moves. */
const PROGRESS_LOG_MS = 5_000;

export class Activity {
  readonly kind: string;
  /** Milliseconds since the epoch: when it came, and from the engine's first move on, when that was. */
  startedAt = Date.now();
  /** Whether the engine has not begun with it. */
  isWaiting = true;
  /** Of the sampler that runs. */
  progress: Progress | undefined;
  /** Samplers of the graph; 0 until the engine begins with it. */
  jobs = 0;
  /** The picture as it is so far, when that was asked for. */
  preview: Buffer | undefined;
  #samplers: ReadonlySet<string> = new Set();
  readonly #begun = new Set<string>();

  constructor(kind: string) {
    this.kind = kind;
  }

  /** Samplers that are behind the one that runs. */
  get jobsDone(): number {
    return Math.max(0, this.#begun.size - 1);
  }

  start(graph: Graph): void {
    this.isWaiting = false;
    const samplers = Object.entries(graph).filter(([, { class_type }]) => SAMPLERS.has(class_type));
    this.#samplers = new Set(samplers.map(([id]) => id));
    this.#begun.clear();
    this.jobs = this.#samplers.size;
    this.startedAt = Date.now();
    this.progress = undefined;
    this.preview = undefined;
  }

  /** Steps of other nodes (tiles of an upscaler ...) are no steps of the generation. */
  advance(progress: Progress): void {
    if (!this.#samplers.has(progress.nodeId)) return;
    this.#begun.add(progress.nodeId);
    this.progress = progress;
  }
}

/** What takes each step's progress into an activity, and now and then into the log. */
export function progressLog(activity: Activity, log: Logger): (progress: Progress) => void {
  let loggedAt = Date.now();
  return (progress) => {
    activity.advance(progress);
    if (Date.now() - loggedAt < PROGRESS_LOG_MS) return;
    loggedAt = Date.now();
    log.info({ ...progress }, `step ${progress.value} of ${progress.max}`);
  };
}
