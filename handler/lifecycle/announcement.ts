/** Tells somebody the latest of a value that changes: one call at a time, again until it is heard, and never in anybody's way. */
import { setTimeout as sleep } from "node:timers/promises";

export interface AnnouncementOptions<T> {
  /** Rejects when it was not heard. */
  send(value: T, signal: AbortSignal): Promise<void>;
  /** Called once for failures in a row. */
  onFailure(error: Error): void;
  /** Of one call. */
  timeoutMs?: number;
  /** Before the first repetition; it doubles. */
  backoffMs?: number;
}

const MAX_BACKOFF_MS = 30_000;

export class Announcement<T> {
  readonly #options: Required<AnnouncementOptions<T>>;
  readonly #stopped = new AbortController();
  /** Each call of `set` is a wish of its own. */
  #wish: { value: T } | undefined;
  #heard: { value: T } | undefined;
  #isTelling = false;

  constructor(options: AnnouncementOptions<T>) {
    this.#options = { timeoutMs: 2_000, backoffMs: 1_000, ...options };
  }

  /** Without effect when this was heard last; what was not yet told is replaced. */
  set(value: T): void {
    if (this.#wish?.value === value) return;
    this.repeat(value);
  }

  /** The same, also when it was heard before. */
  repeat(value: T): void {
    this.#wish = { value };
    if (!this.#isTelling) void this.#tell();
  }

  stop(): void {
    this.#stopped.abort();
  }

  async #tell(): Promise<void> {
    const { send, onFailure, timeoutMs, backoffMs } = this.#options;
    const { signal } = this.#stopped;
    this.#isTelling = true;
    for (let failures = 0; this.#wish !== this.#heard && !signal.aborted; ) {
      const wish = this.#wish!;
      try {
        await send(wish.value, AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]));
        this.#heard = wish;
        failures = 0;
      } catch (error) {
        if (failures++ === 0 && !signal.aborted) onFailure(error as Error);
        const waitMs = Math.min(backoffMs * 2 ** (failures - 1), MAX_BACKOFF_MS);
        await sleep(waitMs, undefined, { signal, ref: false }).catch(() => {});
      }
    }
    this.#isTelling = false;
  }
}
