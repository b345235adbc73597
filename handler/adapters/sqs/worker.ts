/** Takes messages as there is room, one for each invocation that can run, and settles each by what became of it. */
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import { EndpointError } from "../../../runtime/errors.ts";
import type { Config } from "../../config.ts";
import type { Endpoint } from "../../endpoint.ts";
import { withLogContext } from "../../log.ts";
import type { Results } from "../../outputs/results.ts";
import type { ObjectStore } from "../../outputs/s3.ts";
import type { Intake } from "../adapter.ts";
import { payloadReader } from "../messages/payload-buckets.ts";
import { type Outcome, runMessage, USUAL_ATTEMPTS } from "../messages/run-message.ts";
import { Lease, LONGEST_LEASE_SECONDS } from "./lease.ts";
import { type Queue, type ReceivedMessage, saysLeaseLost } from "./queue.ts";
import { sendResult } from "./reply.ts";

export interface WorkerOptions {
  endpoint: Endpoint;
  config: Config;
  results: Results;
  openStore: () => Promise<ObjectStore>;
  queue: Queue;
  /** For the results' documents. */
  replies: Queue | undefined;
  visibilitySeconds: number;
  /** Besides the bucket of the results. */
  payloadBuckets: readonly string[];
  /** An empty queue is the end of the work. */
  endsWhenEmpty: boolean;
  log: Logger;
}

const OUTAGE_PAUSE_MS = 1_000;
const MAX_OUTAGE_PAUSE_MS = 30_000;
/** After the first failure; doubled for each further one. */
const BACKOFF_SECONDS = 5;
const MAX_BACKOFF_SECONDS = 900;
/** Of the lease's longest time, for reporting what did not end in it. */
const REPORT_SECONDS = 60;
/** A message that cannot be settled comes again, and its result is found then. */
const SETTLE_TRIES = 4;
const SETTLE_PAUSE_MS = 500;

export class SqsWorker implements Intake {
  readonly finished?: Promise<number>;
  readonly #options: WorkerOptions;
  readonly #stopping = new AbortController();
  readonly #slots: Promise<void>[];
  /** When the last message that was left for later is visible again; milliseconds of the monotonic clock. */
  #returnsAt = 0;

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#slots = Array.from({ length: options.endpoint.capacity }, () => this.#work());
    if (options.endsWhenEmpty) this.finished = Promise.all(this.#slots).then(() => 0);
  }

  stop(): void {
    this.#stopping.abort(new EndpointError("draining", "this worker is shutting down"));
  }

  async close(): Promise<void> {
    await Promise.all(this.#slots);
  }

  async #work(): Promise<void> {
    const { endpoint, endsWhenEmpty } = this.#options;
    const stopping = this.#stopping.signal;
    while (!stopping.aborted) {
      // Rejects when the engine is beyond repair, or nothing more is to be taken: the process ends.
      const isServing = await endpoint.whenServing(stopping).then(
        () => true,
        () => false,
      );
      if (!isServing) return;
      const message = await this.#receive();
      if (message) await withLogContext(tracks(message), () => this.#take(message));
      else if (endsWhenEmpty && performance.now() > this.#returnsAt) return;
    }
  }

  /** Undefined when the queue is empty, or nothing more is to be taken. An outage of any length is waited for. */
  async #receive(): Promise<ReceivedMessage | undefined> {
    const { queue, visibilitySeconds, endsWhenEmpty, log } = this.#options;
    const stopping = this.#stopping.signal;
    for (let pauseMs = OUTAGE_PAUSE_MS; !stopping.aborted; pauseMs = Math.min(pauseMs * 2, MAX_OUTAGE_PAUSE_MS)) {
      try {
        return await queue.receive(endsWhenEmpty ? "untilEmpty" : "longest", { visibilitySeconds, signal: stopping });
      } catch (error) {
        if (stopping.aborted) return undefined;
        log.warn({ err: error }, `the queue does not answer; asking again in ${pauseMs / 1000} s`);
        await delay(pauseMs, undefined, { signal: stopping }).catch(() => {});
      }
    }
    return undefined;
  }

  async #take(message: ReceivedMessage): Promise<void> {
    const { queue, visibilitySeconds: seconds, log } = this.#options;
    if (this.#stopping.signal.aborted) return this.#leave(message, 0);
    const lease = new Lease(queue, message, { seconds, log });
    const outcomes = await this.#run(message, lease);
    lease.end();
    // Whose message it is now, decides.
    if (lease.signal.aborted) log.warn({ err: lease.signal.reason }, "the message is left to whoever has it now");
    else await this.#settle(message, outcomes);
  }

  #run(message: ReceivedMessage, lease: Lease): Promise<Outcome[]> {
    const { endpoint, config, results, openStore, replies, payloadBuckets: buckets, log } = this.#options;
    const { signal } = lease;
    const patience = { signal, leaving: this.#stopping.signal, log };
    return runMessage(message, {
      ...patience,
      endpoint,
      source: "sqs",
      results,
      read: payloadReader({ buckets, results, openStore, config }, signal),
      timeoutMs: (LONGEST_LEASE_SECONDS - REPORT_SECONDS) * 1000 - (performance.now() - message.receivedAt),
      attemptLimit: async () => (await this.#maxReceives()) ?? USUAL_ATTEMPTS,
      ...(replies && { tell: (document) => sendResult(document, { ...patience, message, results, replies }) }),
    });
  }

  /** The dead-letter queue, if there is one, gets what failed for good by the queue's own policy: left here, it comes until it goes. */
  async #settle(message: ReceivedMessage, outcomes: readonly Outcome[]): Promise<void> {
    const { visibilitySeconds } = this.#options;
    const isStopping = this.#stopping.signal.aborted;
    const has = (status: Outcome["status"]) => outcomes.some((outcome) => outcome.status === status);
    if (has("busy")) return this.#leave(message, visibilitySeconds);
    if (has("interrupted") && isStopping) return this.#leave(message, 0);
    if (has("retry") || has("interrupted")) return this.#leave(message, backoffSeconds(message.attempt));
    if (has("failed") && message.attempt <= ((await this.#maxReceives()) ?? 0)) return this.#leave(message, 0);
    await this.#surely(() => this.#options.queue.delete(message), "the message was not deleted, and will come again");
  }

  async #leave(message: ReceivedMessage, seconds: number): Promise<void> {
    this.#returnsAt = Math.max(this.#returnsAt, performance.now() + seconds * 1000);
    await this.#surely(() => this.#options.queue.hide(message, seconds), "the message comes again when its lease ends");
  }

  /** Undefined without a dead-letter queue; of a queue that does not tell, as many as it is usual. */
  async #maxReceives(): Promise<number | undefined> {
    const { queue } = this.#options;
    let limit: number | undefined = USUAL_ATTEMPTS;
    const ask = async () => {
      limit = await queue.maxReceives();
    };
    await this.#surely(ask, `the queue's attributes cannot be read; taken to be a dead-letter queue after ${limit}`);
    return limit;
  }

  /** Some tries at the end of a message's work. @param otherwise what to log when they fail. */
  async #surely(work: () => Promise<void>, otherwise: string): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        if (attempt === SETTLE_TRIES || saysLeaseLost(error)) return this.#options.log.warn({ err: error }, otherwise);
        await delay(SETTLE_PAUSE_MS * attempt);
      }
    }
  }
}

/** By what its log lines are found. */
function tracks({ id: messageId, attributes: { traceparent }, traceHeader }: ReceivedMessage) {
  return { messageId, ...(traceparent && { traceparent }), ...(traceHeader && { traceHeader }) };
}

const backoffSeconds = (attempt: number) => Math.min(BACKOFF_SECONDS * 2 ** (attempt - 1), MAX_BACKOFF_SECONDS);
