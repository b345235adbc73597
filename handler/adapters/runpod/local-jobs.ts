/** The jobs of the local API: kept from their coming until their result has been fetched, or nobody asks any more. */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { EndpointError } from "../../../runtime/errors.ts";
import type { Endpoint } from "../../endpoint.ts";
import { dialectOf, invocationIdOf } from "./job.ts";
import { type ResultBody, resultBody } from "./result-body.ts";

export interface LocalAnswer {
  id: string;
  status: "IN_PROGRESS" | "COMPLETED" | "FAILED" | "CANCELLED";
  output?: unknown;
  error?: string;
  stream?: { output: unknown }[];
}

interface LocalJob {
  input: unknown;
  cancel: AbortController;
  /** From when it runs. */
  result?: Promise<LocalAnswer>;
  /** Once it is over. */
  answer?: LocalAnswer;
  isStreamed: boolean;
}

/** As long as RunPod keeps a result. */
const KEPT_MS = 30 * 60_000;
/** Clients give up a question about a job after ten seconds. */
const PATIENCE_MS = 5_000;

const notFound = (id: string): LocalAnswer => ({ id, status: "FAILED", error: "Job ID not found" });

export class LocalJobs {
  readonly #endpoint: Endpoint;
  readonly #jobs = new Map<string, LocalJob>();

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint;
  }

  /** Runs when it is first asked for, as in RunPod's own local API. */
  add(input: unknown): LocalAnswer {
    const id = `test-${randomUUID()}`;
    this.#jobs.set(id, { input, cancel: new AbortController(), isStreamed: false });
    setTimeout(() => this.#jobs.delete(id), KEPT_MS).unref();
    return { id, status: "IN_PROGRESS" };
  }

  /** What would be posted to RunPod. */
  async run(id: string, input: unknown, signal: AbortSignal): Promise<ResultBody> {
    const dialect = dialectOf({ id, input });
    const invocation = { id: invocationIdOf(id), source: "runpod", attempt: 1, dialect, payload: { input }, signal };
    return resultBody(await this.#endpoint.invoke(invocation), dialect);
  }

  /** Runs it to its end, and forgets it. */
  async fetch(id: string): Promise<LocalAnswer> {
    const job = this.#jobs.get(id);
    if (job === undefined) return notFound(id);
    this.#jobs.delete(id);
    return await this.#result(id, job);
  }

  /** As RunPod answers: how it stands; the result as often as it is asked for. */
  async status(id: string): Promise<LocalAnswer> {
    const job = this.#jobs.get(id);
    if (job === undefined) return notFound(id);
    const patience = sleep(PATIENCE_MS, undefined, { ref: false });
    return (await Promise.race([this.#result(id, job), patience])) ?? { id, status: "IN_PROGRESS" };
  }

  /** The result as the one part of a stream, and then its end. */
  async stream(id: string): Promise<LocalAnswer> {
    const { output, ...answer } = await this.status(id);
    const job = this.#jobs.get(id);
    const isNew = job !== undefined && answer.status === "COMPLETED" && !job.isStreamed;
    if (isNew) job.isStreamed = true;
    return { ...answer, stream: isNew ? [{ output }] : [] };
  }

  cancel(id: string): LocalAnswer {
    const job = this.#jobs.get(id);
    if (job === undefined) return notFound(id);
    if (job.answer !== undefined) return job.answer;
    job.cancel.abort(new EndpointError("cancelled", "the job was cancelled"));
    job.answer = { id, status: "CANCELLED" };
    job.result = Promise.resolve(job.answer);
    return job.answer;
  }

  /** As a worker whose handler is no generator. */
  refuseStream(id: string): LocalAnswer {
    if (!this.#jobs.delete(id)) return notFound(id);
    return { id, status: "FAILED", error: "Stream not supported, handler must be a generator." };
  }

  /** Forgets those that do not run yet; how many they were. */
  purge(): number {
    const waiting = [...this.#jobs].filter(([, { result }]) => result === undefined);
    for (const [id] of waiting) this.#jobs.delete(id);
    return waiting.length;
  }

  /** Counts in RunPod's words. */
  health() {
    const all = [...this.#jobs.values()];
    const ended = (status: LocalAnswer["status"]) => all.filter(({ answer }) => answer?.status === status).length;
    const inProgress = all.filter(({ result, answer }) => result !== undefined && answer === undefined).length;
    const inQueue = all.filter(({ result }) => result === undefined).length;
    const jobs = { completed: ended("COMPLETED"), failed: ended("FAILED"), inProgress, inQueue, retried: 0 };
    const running = Math.min(inProgress, this.#endpoint.capacity);
    return { jobs, workers: { idle: 1 - running, running } };
  }

  #result(id: string, job: LocalJob): Promise<LocalAnswer> {
    job.result ??= this.run(id, job.input, job.cancel.signal).then((body) => {
      job.answer ??= localAnswer(id, body);
      return job.answer;
    });
    return job.result;
  }
}

export function localAnswer(id: string, { output, error }: ResultBody): LocalAnswer {
  return error === undefined ? { id, status: "COMPLETED", output } : { id, status: "FAILED", error };
}
