/** Work that has a name: asked for twice it runs once, may go on without its caller, and is kept for a while when it is done. */
import { createHash } from "node:crypto";
import { EndpointError } from "../../../runtime/errors.ts";
import type { Dialect, InvocationResult } from "../../invocation.ts";

export interface JobLimits {
  /** Finished jobs that are kept. */
  count: number;
  ageMs: number;
  /** Of all answers that are kept, as JSON; the last one is kept in any case. */
  bytes: number;
}

export interface JobOrder {
  id: string;
  dialect: Dialect;
  /** What was asked for; another order of the same id must be equal. */
  payload: unknown;
  run(signal: AbortSignal): Promise<InvocationResult>;
}

export class Job {
  readonly id: string;
  readonly dialect: Dialect;
  readonly digest: string;
  /** Milliseconds since the epoch. */
  readonly startedAt = Date.now();
  finishedAt: number | undefined;
  result: InvocationResult | undefined;
  readonly finished: Promise<InvocationResult>;
  readonly #abort = new AbortController();
  #callers = 0;
  #isDetached = false;

  constructor({ id, dialect, run }: JobOrder, digest: string) {
    this.id = id;
    this.dialect = dialect;
    this.digest = digest;
    this.finished = run(this.#abort.signal).then((result) => {
      this.finishedAt = Date.now();
      this.result = result;
      return result;
    });
  }

  /** It goes on whoever leaves. */
  detach(): void {
    this.#isDetached = true;
  }

  /** One more who waits for it; when the last of them leaves, it ends for that one's reason, an EndpointError. */
  attach(gone: AbortSignal): void {
    this.#callers++;
    const leave = () => {
      if (--this.#callers === 0 && !this.#isDetached) this.end(gone.reason);
    };
    if (gone.aborted) leave();
    else gone.addEventListener("abort", leave, { once: true });
  }

  cancel(): void {
    this.end(new EndpointError("cancelled", "the caller cancelled it"));
  }

  /** Without effect once it is done. */
  end(reason: EndpointError): void {
    if (this.result === undefined) this.#abort.abort(reason);
  }

  /** Whether who asks for the same again gets another try: it was cancelled, or failed in a way that may pass. */
  get isForgiven(): boolean {
    return this.#abort.signal.aborted || (this.result?.status === "failed" && this.result.error.retryable);
  }
}

export class Jobs {
  readonly #limits: JobLimits;
  readonly #jobs = new Map<string, Job>();
  /** Of those that are finished, oldest first, the bytes of their answers. */
  readonly #kept = new Map<Job, number>();

  constructor(limits: JobLimits) {
    this.#limits = limits;
  }

  get(id: string): Job | undefined {
    return this.#jobs.get(id);
  }

  /**
   * The job of that id, which is begun unless it is there: running, or finished not long ago with a result that stands.
   * @throws EndpointError `id_conflict` when another was ordered by it.
   */
  order(order: JobOrder): Job {
    const digest = createHash("sha256")
      .update(JSON.stringify([order.dialect, order.payload]))
      .digest("base64");
    const known = this.#jobs.get(order.id);
    const stands = known !== undefined && !known.isForgiven;
    if (stands && known.digest === digest) return known;
    if (stands) throw new EndpointError("id_conflict", `the id "${order.id}" was used before for another request`);
    const job = new Job(order, digest);
    this.#jobs.set(job.id, job);
    void job.finished.then((result) => this.#keep(job, result));
    return job;
  }

  #keep(job: Job, result: InvocationResult): void {
    const { count, ageMs, bytes } = this.#limits;
    this.#kept.set(job, result.status === "succeeded" ? Buffer.byteLength(JSON.stringify(result.body)) : 0);
    setTimeout(() => this.#forget(job), ageMs).unref();
    let sum = [...this.#kept.values()].reduce((total, size) => total + size, 0);
    for (const [oldest, size] of this.#kept) {
      if (this.#kept.size === 1 || (this.#kept.size <= count && sum <= bytes)) break;
      this.#forget(oldest);
      sum -= size;
    }
  }

  #forget(job: Job): void {
    this.#kept.delete(job);
    if (this.#jobs.get(job.id) === job) this.#jobs.delete(job.id);
  }
}
