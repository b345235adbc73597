/** A queue endpoint of RunPod's: its job server, as a worker knows it. */
import { setTimeout as sleep } from "node:timers/promises";
import { startWorker } from "../support/endpoint.ts";
import { type Answer, handsOut, startJobServer } from "../support/job-server.ts";
import { adapterContract } from "./adapter-contract.ts";
import { enveloped, readRunpod } from "./runpod-result.ts";

adapterContract({
  name: "runpod",
  early: "left",
  retryable: "told",
  interrupted: "left",
  lacks: {
    "one run for two in turn": "RunPod hands a job out again only to have it run again",
    trace: "a job has nothing but its id",
  },
  mistake: { RUNPOD_PING_INTERVAL: "often" },
  start: async (settings, atEnd) => {
    const jobs = new Handout<object>();
    const stops = new Handout<string>();
    const server = await startJobServer(
      {
        take: () => jobs.poll((items) => handsOut(...items)),
        stop: () => stops.poll((jobsToStop) => ({ json: { jobsToStop } })),
        done: async ({ body }) => (body.length > MAX_RESULT ? { status: 400 } : { json: { status: "ok" } }),
      },
      atEnd,
    );
    const worker = startWorker({ ...server.environment, ...settings }, atEnd);
    const posted = (id: string, fits: (body: Record<string, unknown>) => boolean) =>
      server
        .called(
          "done",
          ({ target, body }) => target.includes(`/${id}?`) && body.length <= MAX_RESULT && fits(JSON.parse(body)),
        )
        .then(({ body }) => JSON.parse(body) as Record<string, unknown>);
    return {
      worker,
      invoke: async (payload, { id, timeoutMs }) => {
        jobs.add({
          id,
          ...enveloped(payload),
          ...(timeoutMs !== undefined && { policy: { executionTimeout: timeoutMs } }),
        });
        return readRunpod(await posted(id, ({ status }) => status !== "IN_PROGRESS"));
      },
      cancel: (id) => stops.add(id),
      progress: async (id) => {
        const { output } = await posted(id, ({ status }) => status === "IN_PROGRESS");
        return output as { step: number; steps: number };
      },
    };
  },
});

/** Bytes of a result that RunPod takes. */
const MAX_RESULT = 10_000_000;

/** What polls are answered with: all that waits, or nothing after two seconds. */
class Handout<Item> {
  readonly #waiting: Item[] = [];
  #came = Promise.withResolvers<void>();

  add(item: Item): void {
    this.#waiting.push(item);
    this.#came.resolve();
  }

  async poll(answer: (items: Item[]) => Answer): Promise<Answer> {
    if (this.#waiting.length === 0) await Promise.race([this.#came.promise, sleep(2_000, undefined, { ref: false })]);
    this.#came = Promise.withResolvers();
    return this.#waiting.length === 0 ? { status: 204 } : answer(this.#waiting.splice(0));
  }
}
