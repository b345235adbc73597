/** Tells RunPod that this worker lives and what it works on, from a thread of its own: a busy main thread must not look dead. */
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { Addresses } from "./addresses.ts";
import type { PingOrders } from "./ping-thread.ts";

export interface PingOptions {
  addresses: Addresses;
  apiKey: string;
  /** Milliseconds. */
  intervalMs: number;
  /** Of RunPod's worker library. */
  sdkVersion: string;
  /** There will be no more pings. */
  onEnd(error: Error): void;
}

const UNHEALTHY_TIMEOUT_MS = 2_000;
const MAX_REASON = 256;

const THREAD = fileURLToPath(
  new URL(import.meta.url.endsWith(".ts") ? "./ping-thread.ts" : "./runpod-ping.mjs", import.meta.url),
);

export class Pings {
  readonly #options: PingOptions;
  readonly #thread: Worker;

  /** The first ping goes out at once. */
  constructor(options: PingOptions) {
    this.#options = options;
    this.#thread = new Worker(THREAD, { workerData: this.#orders([]), stdout: false, stderr: false });
    // The thread lives as long as the process, and never holds it.
    this.#thread.unref();
    this.#thread.on("error", options.onEnd);
  }

  /** From the next ping on. */
  list(jobIds: readonly string[]): void {
    this.#thread.postMessage(this.#orders(jobIds));
  }

  /** The last words of a worker that never served. Never throws. */
  async unhealthy(check: string, reason: string): Promise<void> {
    await this.stop();
    const { addresses, apiKey, sdkVersion } = this.#options;
    const facts = { status: "unhealthy", check, reason: reason.slice(0, MAX_REASON), runpod_version: sdkVersion };
    const signal = AbortSignal.timeout(UNHEALTHY_TIMEOUT_MS);
    await fetch(addresses.ping(facts)!, { headers: { authorization: apiKey }, signal }).catch(() => {});
  }

  async stop(): Promise<void> {
    await this.#thread.terminate();
  }

  #orders(jobIds: readonly string[]): PingOrders {
    const { addresses, apiKey, intervalMs, sdkVersion } = this.#options;
    const facts = { ...(jobIds.length > 0 && { job_id: jobIds.join(",") }), runpod_version: sdkVersion };
    return { address: addresses.ping(facts)!, apiKey, intervalMs };
  }
}
