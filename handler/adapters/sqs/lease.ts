/** Holds a message while it is worked on: it stays invisible to others as long as this succeeds, and not a moment is worked without it. */
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import { EndpointError } from "../../../runtime/errors.ts";
import { type Queue, type ReceivedMessage, saysLeaseLost } from "./queue.ts";

/** SQS gives no message for longer, counted from its receipt. */
export const LONGEST_LEASE_SECONDS = 12 * 3600;
/** Three extensions in the time of one. */
const BEATS = 3;
const RETRY_MS = 1_000;
/** Before a lease's end, for what the clocks and the network may be off; at most a tenth of it. */
const MARGIN_MS = 1_000;

export class Lease {
  readonly #queue: Queue;
  readonly #message: ReceivedMessage;
  readonly #visibilityMs: number;
  readonly #log: Logger;
  readonly #lost = new AbortController();
  readonly #ended = new AbortController();
  #expiry: NodeJS.Timeout | undefined;

  /** Holds from the receipt on. @param seconds of each extension. */
  constructor(queue: Queue, message: ReceivedMessage, { seconds, log }: { seconds: number; log: Logger }) {
    this.#queue = queue;
    this.#message = message;
    this.#visibilityMs = seconds * 1000;
    this.#log = log;
    this.#expireAt(message.receivedAt + this.#visibilityMs);
    void this.#keep();
  }

  /** Aborts with `lease_lost`. */
  get signal(): AbortSignal {
    return this.#lost.signal;
  }

  /** Ends the extensions; what the queue gave last goes on. */
  end(): void {
    this.#ended.abort();
    clearTimeout(this.#expiry);
  }

  async #keep(): Promise<void> {
    const beatMs = this.#visibilityMs / BEATS;
    let pauseMs = beatMs;
    const over = AbortSignal.any([this.#ended.signal, this.#lost.signal]);
    while (!over.aborted) {
      await delay(pauseMs, undefined, { signal: over }).catch(() => {});
      if (over.aborted) return;
      pauseMs = (await this.#extend()) ? beatMs : Math.min(RETRY_MS, beatMs);
    }
  }

  async #extend(): Promise<boolean> {
    const askedAt = performance.now();
    const seconds = extensionSeconds(this.#visibilityMs, askedAt - this.#message.receivedAt);
    if (seconds === 0) return false;
    try {
      await this.#queue.hide(this.#message, seconds);
      this.#expireAt(askedAt + seconds * 1000);
      return true;
    } catch (error) {
      if (this.#ended.signal.aborted) return false;
      this.#log.warn({ err: error }, "the message's lease was not extended");
      if (saysLeaseLost(error)) this.#lose("the queue says that the message is no longer this worker's");
      return false;
    }
  }

  #expireAt(at: number): void {
    clearTimeout(this.#expiry);
    if (this.#ended.signal.aborted) return;
    const marginMs = Math.min(MARGIN_MS, this.#visibilityMs / 10);
    const expire = () => this.#lose("the queue could not be asked in time to leave the message to this worker");
    this.#expiry = setTimeout(expire, Math.max(0, at - marginMs - performance.now()));
  }

  #lose(why: string): void {
    clearTimeout(this.#expiry);
    this.#lost.abort(new EndpointError("lease_lost", why));
  }
}

/** What may still be asked for of a message that was received so long ago: SQS refuses what would pass its longest lease. */
export function extensionSeconds(wantedMs: number, heldMs: number): number {
  const leftMs = LONGEST_LEASE_SECONDS * 1000 - heldMs - MARGIN_MS;
  return Math.max(0, Math.floor(Math.min(wantedMs, leftMs) / 1000));
}
