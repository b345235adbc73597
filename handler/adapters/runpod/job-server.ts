/** RunPod's job server as its worker library speaks with it; what is sent is what that library sends. */
import { setTimeout as sleep } from "node:timers/promises";
import { parseJson } from "../../../runtime/json.ts";
import { version } from "../../version.ts";
import type { Addresses } from "./addresses.ts";

/** What an answer to a poll holds, and how long to wait before the next one. */
export interface Poll<T> {
  items: T[];
  pauseMs: number;
  /** Why nothing could be read, for the log. */
  problem?: string;
}

/** `refused`: never sent again as it is. `gone`: nobody waits for it. */
export type Posted = "accepted" | "refused" | "gone";

/** The server keeps a poll open while it has nothing. */
const POLL_TIMEOUT_MS = 90_000;
/** An empty answer that comes at once would otherwise be followed by the next request at once. */
const MIN_POLL_MS = 1_000;
const TOO_MANY_REQUESTS_MS = 5_000;
const MAX_POLL_BACKOFF_MS = 10_000;
const POST_TIMEOUT_MS = 120_000;
const POST_TRIES_MS = 600_000;
const MAX_POST_BACKOFF_MS = 30_000;
const PROGRESS_TIMEOUT_MS = 5_000;
/** The answer is too large, or not liked for another reason that sending it again does not mend. */
const REFUSED: readonly number[] = [400, 413];

export interface JobServerOptions {
  addresses: Addresses;
  apiKey: string | undefined;
  onRetry(jobId: string, reason: string): void;
}

export class JobServer {
  readonly #options: JobServerOptions;
  #failedPolls = 0;

  constructor(options: JobServerOptions) {
    this.#options = options;
  }

  /** Waits for jobs, as many as can start now. Never throws: after `signal` it is an answer without jobs. */
  take(slots: number, isBusy: boolean, signal: AbortSignal): Promise<Poll<unknown>> {
    const address = this.#options.addresses.take(slots, isBusy);
    return this.#poll(address, signal, (body) => (Array.isArray(body) ? body : [body]));
  }

  /** Whether there is an address for {@link stopped}. */
  get tellsStops(): boolean {
    return this.#options.addresses.stop !== undefined;
  }

  /** Waits for ids of jobs that are no longer wanted. Never throws. */
  stopped(signal: AbortSignal): Promise<Poll<string>> {
    return this.#poll(this.#options.addresses.stop!, signal, (body) => {
      const ids = (body as { jobsToStop?: unknown }).jobsToStop;
      return Array.isArray(ids) ? ids.filter((id) => typeof id === "string") : [];
    });
  }

  /**
   * Brings a result to RunPod, again and again for ten minutes while the server or the way to it is at fault.
   * @param signal ends the tries, not the one that is under way.
   */
  async done(jobId: string, body: string, signal: AbortSignal): Promise<Posted> {
    const givenUpAt = performance.now() + POST_TRIES_MS;
    for (let backoffMs = 1_000; ; backoffMs = Math.min(2 * backoffMs, MAX_POST_BACKOFF_MS)) {
      const outcome = await this.#post(jobId, body, POST_TIMEOUT_MS);
      if (typeof outcome === "number" && outcome < 300) return "accepted";
      if (REFUSED.includes(outcome as number)) return "refused";
      const isFinal = typeof outcome === "number" && outcome < 500 && ![408, 425, 429].includes(outcome);
      if (isFinal || signal.aborted || performance.now() > givenUpAt) {
        this.#options.onRetry(jobId, `job-done: ${describe(outcome)}; given up`);
        return "gone";
      }
      this.#options.onRetry(jobId, `job-done: ${describe(outcome)}; it is sent again`);
      await sleep(backoffMs * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => {});
    }
  }

  /** One try; never throws. */
  async progress(jobId: string, output: unknown): Promise<void> {
    await this.#post(jobId, JSON.stringify({ status: "IN_PROGRESS", output }), PROGRESS_TIMEOUT_MS);
  }

  /** The status, or why there is none. */
  async #post(jobId: string, body: string, timeoutMs: number): Promise<number | Error> {
    const headers = {
      ...this.#headers,
      "content-type": "application/x-www-form-urlencoded",
      charset: "utf-8",
      "x-request-id": jobId,
    };
    const request = { method: "POST", headers, body, signal: AbortSignal.timeout(timeoutMs) };
    try {
      const response = await fetch(this.#options.addresses.done(jobId), request);
      await response.arrayBuffer().catch(() => {});
      return response.status;
    } catch (error) {
      return error as Error;
    }
  }

  async #poll<T>(address: string, signal: AbortSignal, read: (body: unknown) => T[]): Promise<Poll<T>> {
    const startedAt = performance.now();
    const empty = (problem?: string): Poll<T> => ({
      items: [],
      pauseMs: Math.max(0, MIN_POLL_MS - (performance.now() - startedAt)),
      ...(problem !== undefined && { problem }),
    });
    const timeout = AbortSignal.timeout(POLL_TIMEOUT_MS);
    const waiting = new AbortController();
    const end = () => waiting.abort();
    timeout.addEventListener("abort", end, { once: true });
    signal.addEventListener("abort", end, { once: true });
    if (signal.aborted) end();
    try {
      const response = await fetch(address, { headers: this.#headers, signal: waiting.signal });
      // From here on the answer is on its way, and what it hands out is ours.
      signal.removeEventListener("abort", end);
      const text = await response.text();
      if (response.status === 429) return { ...empty("429"), pauseMs: TOO_MANY_REQUESTS_MS };
      // 400 is RunPod's way to say that a worker that was asleep has no job.
      if (response.status >= 400 && response.status !== 400) return this.#failed(empty(`${response.status}`));
      this.#failedPolls = 0;
      if (response.status !== 200) return empty();
      // Whatever its type: a job that was handed out is not handed out again.
      const body = parseJson(text) as unknown;
      if (typeof body !== "object" || body === null) return empty("neither an object nor a list");
      const items = read(body);
      return items.length > 0 ? { items, pauseMs: 0 } : empty();
    } catch (error) {
      if (signal.aborted || timeout.aborted) return empty();
      if (error instanceof SyntaxError) return empty("no JSON");
      return this.#failed(empty(describe(error as Error)));
    } finally {
      signal.removeEventListener("abort", end);
      timeout.removeEventListener("abort", end);
    }
  }

  #failed<T>(poll: Poll<T>): Poll<T> {
    const backoffMs = Math.min(MIN_POLL_MS * 2 ** Math.min(this.#failedPolls++, 8), MAX_POLL_BACKOFF_MS);
    return { ...poll, pauseMs: backoffMs * (0.75 + Math.random() / 4) };
  }

  get #headers(): Record<string, string> {
    const { apiKey } = this.#options;
    return {
      "content-type": "application/json",
      "user-agent": `comfy-endpoint/${version}`,
      "accept-encoding": "gzip, deflate",
      ...(apiKey !== undefined && { authorization: apiKey }),
    };
  }
}

/** A failed `fetch` says why only in its cause. */
function describe(outcome: number | Error): string {
  if (typeof outcome === "number") return `status ${outcome}`;
  const { cause } = outcome as { cause?: { code?: string; message?: string } };
  return cause?.code ?? cause?.message ?? outcome.message;
}
