/** The queue of prompts and the history, as ComfyUI keeps them: in memory, one prompt at a time, smallest number first. */
import { setTimeout as delay } from "node:timers/promises";
import { heapify, heapPop, heapPush } from "./heap.ts";
import type { Prompt } from "./prompt.ts";
import { isLess } from "./python.ts";

export interface QueueItem {
  number: number | object;
  promptId: string;
  prompt: Prompt;
  extraData: Record<string, unknown>;
  /** Ids of the output nodes that run. */
  outputs: string[];
  /** Keys of partner nodes: never shown. */
  secrets: Record<string, unknown>;
}

/** The wire form of `GET /queue` and of a history entry's `prompt`. */
export type QueueRow = readonly [number | object, string, Prompt, Record<string, unknown>, string[]];

export interface HistoryEntry {
  prompt: QueueRow;
  outputs: Record<string, Record<string, unknown[]>>;
  status: { status_str: "success" | "error"; completed: boolean; messages: [string, Record<string, unknown>][] };
  meta: Record<string, unknown>;
}

export type ExecutionResult = Omit<HistoryEntry, "prompt">;

const HISTORY_SIZE = 10_000;

export function toRow({ number, promptId, prompt, extraData, outputs }: QueueItem): QueueRow {
  return [number, promptId, prompt, extraData, outputs];
}

export class PromptQueue {
  readonly pending: QueueItem[] = [];
  running: QueueItem | undefined;
  readonly history = new Map<string, HistoryEntry>();
  /** What `/free` asked for; the worker takes it after the current prompt. */
  shouldFreeMemory = false;
  /** Whether the thread that takes prompts is alive. */
  hasWorker = true;
  readonly #onChange: () => void;
  #wake = Promise.withResolvers<void>();

  /** @param onChange called at every change of the number of prompts, real or possible, as ComfyUI's `status` messages go */
  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  get remaining(): number {
    return this.pending.length + (this.running === undefined ? 0 : 1);
  }

  put(item: QueueItem): void {
    heapPush(this.pending, item, byNumberThenId);
    this.#onChange();
    this.wake();
  }

  /** Waits for a prompt; undefined when woken for another reason. */
  async take(): Promise<QueueItem | undefined> {
    if (this.pending.length === 0 && !this.shouldFreeMemory) await this.#wake.promise;
    this.#wake = Promise.withResolvers();
    const item = heapPop(this.pending, byNumberThenId);
    if (item === undefined) return undefined;
    this.running = item;
    this.#onChange();
    return item;
  }

  wake(): void {
    this.#wake.resolve();
  }

  /** Ends the running prompt. @param historyDelayMs how much later than that its entry appears (a fault) */
  finish(item: QueueItem, result: ExecutionResult, historyDelayMs: number): void {
    this.running = undefined;
    const remember = () => {
      if (this.history.size > HISTORY_SIZE) this.history.delete(this.history.keys().next().value!);
      const { outputs, status, meta } = result;
      this.history.set(item.promptId, { prompt: toRow(item), outputs, status, meta });
    };
    if (historyDelayMs === 0) remember();
    else void delay(historyDelayMs).then(remember);
    this.#onChange();
  }

  clear(): void {
    this.pending.length = 0;
    this.#onChange();
  }

  /** Removes a pending prompt; a running or unknown one is left alone. */
  delete(promptId: unknown): boolean {
    const index = this.pending.findIndex((item) => item.promptId === promptId);
    if (index < 0) return false;
    this.pending.splice(index, 1);
    heapify(this.pending, byNumberThenId);
    this.#onChange();
    return true;
  }

  /** `GET /history`: oldest first; without an offset, `maxItems` gives the last ones. */
  page(maxItems: number | undefined, offset: number | undefined): Record<string, HistoryEntry> {
    const first =
      offset !== undefined && offset >= 0
        ? offset
        : maxItems === undefined
          ? 0
          : Math.max(0, this.history.size - maxItems);
    return Object.fromEntries([...this.history].slice(first, maxItems === undefined ? undefined : first + maxItems));
  }
}

function byNumberThenId(a: QueueItem, b: QueueItem): number {
  if (isLess(a.number, b.number)) return -1;
  if (isLess(b.number, a.number)) return 1;
  return a.promptId < b.promptId ? -1 : a.promptId > b.promptId ? 1 : 0;
}
