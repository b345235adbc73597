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

interface Wish<T> {
  value: T;
  /** Resolves when it was told once, heard or not. */
  told: PromiseWithResolvers<void>;
}

export class Announcement<T> {
  readonly #options: Required<AnnouncementOptions<T>>;
  readonly #stopped = new AbortController();
  /** Each call of `set` is a wish of its own. */
  #wish: Wish<T> | undefined;
  #heard: Wish<T> | undefined;
  #isTelling = false;
  /** In a row. */
  #failures = 0;

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
    this.#wish?.told.resolve();
    this.#wish = { value, told: Promise.withResolvers() };
    if (!this.#isTelling) void this.#tell();
  }

  /** Resolves when what was set last is heard; nobody waits for somebody who did not hear the last time. */
  async heard(): Promise<void> {
    if (this.#failures === 0) await this.#wish?.told.promise;
  }

  stop(): void {
    this.#stopped.abort();
  }

  async #tell(): Promise<void> {
    const { send, onFailure, timeoutMs, backoffMs } = this.#options;
    const { signal } = this.#stopped;
    this.#isTelling = true;
    while (this.#wish !== this.#heard && !signal.aborted) {
      const wish = this.#wish!;
      try {
        await send(wish.value, AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]));
        this.#heard = wish;
        this.#failures = 0;
        wish.told.resolve();
      } catch (error) {
        if (this.#failures++ === 0 && !signal.aborted) onFailure(error as Error);
        this.#wish!.told.resolve();
        const waitMs = Math.min(backoffMs * 2 ** (this.#failures - 1), MAX_BACKOFF_MS);
        await sleep(waitMs, undefined, { signal, ref: false }).catch(() => {});
      }
    }
    this.#isTelling = false;
  }
}
