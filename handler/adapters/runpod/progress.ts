/** A job's progress as RunPod shows it in its status: at most once a second, in order, and never after the result. */
import type { Progress } from "../../../runtime/comfyui/prompt-record.ts";

const MIN_INTERVAL_MS = 1_000;

export class ProgressReports {
  readonly #send: (output: unknown) => Promise<void>;
  /** A job that takes less than an interval has none. */
  #lastAt = performance.now();
  #sending: Promise<void> | undefined;
  #isClosed = false;

  /** @param send must not throw. */
  constructor(send: (output: unknown) => Promise<void>) {
    this.#send = send;
  }

  /** Dropped while another one is on its way. */
  tell({ nodeId, value, max }: Progress): void {
    const isTooSoon = performance.now() - this.#lastAt < MIN_INTERVAL_MS;
    if (this.#isClosed || this.#sending || isTooSoon) return;
    this.#lastAt = performance.now();
    this.#sending = this.#send({ node: nodeId, step: value, steps: max }).finally(() => {
      this.#sending = undefined;
    });
  }

  /** Resolves when the last one has been answered. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#sending;
  }
}
