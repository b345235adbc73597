/** A worker of a RunPod queue endpoint: takes jobs that can start at once, runs them, and brings each one's result back. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { EndpointError } from "../../../runtime/errors.ts";
import type { Endpoint } from "../../endpoint.ts";
import type { InvocationResult } from "../../invocation.ts";
import { dialectOf, invocationIdOf, type Job, readJob } from "./job.ts";
import type { JobServer } from "./job-server.ts";
import { ProgressReports } from "./progress.ts";
import { type ResultBody, refusedBody, resultBody } from "./result-body.ts";

export interface WorkerOptions {
  endpoint: Endpoint;
  server: JobServer;
  log: Logger;
  /** Told of every change: the jobs from their taking until their result is delivered. */
  onJobs(ids: readonly string[]): void;
  /** One job is enough for a worker. */
  isReplacedAfterJob: boolean;
  answersInterrupted: boolean;
}

/** RunPod carries 10 MB, and 20 MB for a caller that waits (`/runsync`), the envelope included. */
const MAX_ANSWER_BYTES = 9_500_000;
const MAX_SYNC_ANSWER_BYTES = 19_000_000;
/** A job that was handed out while the signal to stop was on its way is still taken: a round trip's time, on a machine that is busy too. */
const LAST_ANSWER_MS = 1_000;

export class RunpodWorker {
  readonly #options: WorkerOptions;
  readonly #jobs = new Map<string, { finished: Promise<void>; cancel: AbortController }>();
  readonly #stopping = new AbortController();
  readonly #ended = new AbortController();
  readonly #taking: Promise<void>;
  readonly #listening: Promise<void>;
  readonly #enough = Promise.withResolvers<number>();
  /** Resolves, and is another one then, when a job ends or the worker stops. */
  #changed = Promise.withResolvers<void>();

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#taking = this.#take();
    this.#listening = this.#listen();
  }

  /** Resolves with the exit code when this worker is to be replaced. */
  get finished(): Promise<number> {
    return this.#enough.promise;
  }

  /** Takes no more; resolves when nothing can come any more. */
  async stop(): Promise<void> {
    this.#stopTaking();
    await this.#taking;
  }

  /** Resolves when every job that was taken has its result delivered. */
  async close(): Promise<void> {
    await Promise.all([...this.#jobs.values()].map(({ finished }) => finished));
    this.#ended.abort();
    await this.#listening;
  }

  #stopTaking(): void {
    this.#stopping.abort();
    this.#tellChange();
  }

  #tellChange(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  async #take(): Promise<void> {
    const { endpoint, server, log } = this.#options;
    const { signal } = this.#stopping;
    const polling = new AbortController();
    signal.addEventListener("abort", () => setTimeout(() => polling.abort(), LAST_ANSWER_MS), { once: true });
    let lastProblem: string | undefined;
    while (await this.#canTake()) {
      const free = endpoint.capacity - this.#jobs.size;
      const { items, pauseMs, problem } = await server.take(free, this.#jobs.size > 0, polling.signal);
      if (problem !== undefined && problem !== lastProblem) log.warn({ problem }, "no job could be read from RunPod");
      lastProblem = problem;
      for (const item of items) this.#accept(item);
      await sleep(pauseMs, undefined, { signal }).catch(() => {});
    }
  }

  /** Waits until a job could start at once; false when none will be taken any more. */
  async #canTake(): Promise<boolean> {
    const { endpoint } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted && this.#jobs.size >= endpoint.capacity) await this.#changed.promise;
    if (signal.aborted) return false;
    return endpoint.whenServing(signal).then(
      () => !signal.aborted,
      () => false,
    );
  }

  #accept(item: unknown): void {
    const { log } = this.#options;
    const job = readJob(item);
    if (job === undefined) {
      log.error("RunPod handed out a job without an id, which nobody can answer");
      return;
    }
    if (this.#jobs.has(job.id)) {
      log.warn({ jobId: job.id }, "RunPod handed out a job again that runs already");
      return;
    }
    const cancel = new AbortController();
    const finished = this.#work(job, cancel.signal)
      .catch((error) => log.error({ jobId: job.id, err: error }, "a job could not be brought to its end"))
      .finally(() => {
        this.#jobs.delete(job.id);
        this.#tellJobs();
        this.#tellChange();
      });
    this.#jobs.set(job.id, { finished, cancel });
    this.#tellJobs();
  }

  #tellJobs(): void {
    this.#options.onJobs([...this.#jobs.keys()]);
  }

  async #work(job: Job, cancelled: AbortSignal): Promise<void> {
    const { answersInterrupted, isReplacedAfterJob } = this.#options;
    const result = await this.#run(job, cancelled);
    const isInterrupted = result.status === "failed" && result.error.code === "draining";
    if (cancelled.aborted || (isInterrupted && !answersInterrupted)) return;
    const isReplaced = isReplacedAfterJob || asksForReplacement(job);
    await this.#deliver(job, result, isReplaced && { stopPod: true }, cancelled);
    if (!isReplacedAfterJob) return;
    this.#stopTaking();
    this.#enough.resolve(0);
  }

  async #run(job: Job, signal: AbortSignal): Promise<InvocationResult> {
    const { endpoint, server, log } = this.#options;
    const { id, input, timeoutMs, batchId } = job;
    log.info({ jobId: id, batchId }, "job taken");
    const progress = new ProgressReports((output) => server.progress(id, output));
    const result = await endpoint.invoke({
      id: invocationIdOf(id),
      source: "runpod",
      attempt: 1,
      dialect: dialectOf(job),
      payload: { input },
      signal,
      maxAnswerBytes: id.startsWith("sync-") ? MAX_SYNC_ANSWER_BYTES : MAX_ANSWER_BYTES,
      ...(timeoutMs !== undefined && { timeoutMs }),
      tell: (step) => progress.tell(step),
    });
    await progress.close();
    return result;
  }

  async #deliver(
    job: Job,
    result: InvocationResult,
    orders: Pick<ResultBody, "stopPod"> | false,
    cancelled: AbortSignal,
  ): Promise<void> {
    const { server, log } = this.#options;
    const { id } = job;
    const dialect = dialectOf(job);
    const post = (body: ResultBody) => server.done(id, JSON.stringify({ ...body, ...orders }), cancelled);
    const body = resultBody(result, dialect);
    const posted = await post(body);
    if (posted === "accepted") {
      log.info({ jobId: id }, "result delivered");
      return;
    }
    const instead =
      posted === "refused" ? refusedBody(result, dialect, Buffer.byteLength(JSON.stringify(body))) : undefined;
    log.error({ jobId: id, posted, isReplaced: instead !== undefined }, "RunPod did not take a result");
    if (instead && !cancelled.aborted) await post(instead);
  }

  /** The other way round: RunPod says which jobs are not wanted any more. */
  async #listen(): Promise<void> {
    const { endpoint, server, log } = this.#options;
    const { signal } = this.#ended;
    if (!server.tellsStops) return;
    await endpoint.whenServing(this.#stopping.signal).catch(() => {});
    while (!signal.aborted) {
      const { items, pauseMs } = await server.stopped(signal);
      for (const id of items)
        this.#jobs.get(id)?.cancel.abort(new EndpointError("cancelled", "RunPod stopped the job"));
      if (items.length > 0) log.info({ jobIds: items }, "RunPod stops jobs");
      await sleep(pauseMs, undefined, { signal }).catch(() => {});
    }
  }
}

const asksForReplacement = ({ input }: Job) =>
  (input as { refresh_worker?: unknown } | null | undefined)?.refresh_worker === true;
