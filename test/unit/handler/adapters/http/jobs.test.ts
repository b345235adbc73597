import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { Jobs } from "../../../../../handler/adapters/http/jobs.ts";
import type { InvocationResult } from "../../../../../handler/invocation.ts";
import { EndpointError } from "../../../../../runtime/errors.ts";

const limits = { count: 10, ageMs: 60_000, bytes: 1e6 };
const succeeded = (body: unknown): InvocationResult => ({ id: "x", status: "succeeded", body });
const failed = (code: "out_of_memory" | "execution_error"): InvocationResult => ({
  id: "x",
  status: "failed",
  error: new EndpointError(code, code),
});

/** Orders a job that ends at once with the result. */
async function finish(jobs: Jobs, id: string, result = succeeded("done")) {
  return jobs.order({ id, dialect: "auto", payload: id, run: async () => result }).finished;
}

/** A job that ends when it is aborted. */
function endless(jobs: Jobs, id: string) {
  return jobs.order({
    id,
    dialect: "auto",
    payload: id,
    run: (signal) =>
      new Promise((resolve) =>
        signal.addEventListener("abort", () => resolve({ id, status: "failed", error: signal.reason })),
      ),
  });
}

test("F1, F2: an order runs once, while it runs and after it is done; another order of the same id is refused", async () => {
  const jobs = new Jobs(limits);
  let runs = 0;
  const order = (payload: unknown) =>
    jobs.order({ id: "a", dialect: "auto", payload, run: () => sleep(5).then(() => succeeded(++runs)) });
  const first = order([1]);
  expect(order([1])).toBe(first);
  expect(() => order([2])).toThrow(expect.objectContaining({ code: "id_conflict" }));
  expect(await first.finished).toMatchObject({ body: 1 });
  expect(await order([1]).finished).toMatchObject({ body: 1 });
  expect(() => order([2])).toThrow(expect.objectContaining({ code: "id_conflict" }));
});

test("a failure that may pass is no result: the next order runs; one that stands is", async () => {
  const jobs = new Jobs(limits);
  await finish(jobs, "passes", failed("out_of_memory"));
  expect(jobs.get("passes")?.result?.status).toBe("failed");
  expect(await finish(jobs, "passes")).toMatchObject({ status: "succeeded" });
  await finish(jobs, "stands", failed("execution_error"));
  expect(await finish(jobs, "stands")).toMatchObject({ status: "failed" });
});

test("the oldest results go when there are too many, or too many bytes; the last one stays however large it is", async () => {
  const few = new Jobs({ ...limits, count: 2 });
  for (const id of ["a", "b", "c"]) await finish(few, id);
  expect(["a", "b", "c"].map((id) => few.get(id) !== undefined)).toEqual([false, true, true]);

  const small = new Jobs({ ...limits, bytes: 100 });
  for (const id of ["a", "b"]) await finish(small, id, succeeded("x".repeat(60)));
  expect(["a", "b"].map((id) => small.get(id) !== undefined)).toEqual([false, true]);
  await finish(small, "huge", succeeded("x".repeat(1_000)));
  expect(["b", "huge"].map((id) => small.get(id) !== undefined)).toEqual([false, true]);
});

test("a result goes when its time is over", async () => {
  const jobs = new Jobs({ ...limits, ageMs: 20 });
  await finish(jobs, "a");
  expect(jobs.get("a")).toBeDefined();
  await sleep(60);
  expect(jobs.get("a")).toBeUndefined();
});

test("F17: a job is cancelled when the last of its callers leaves, unless it goes on without them", async () => {
  const jobs = new Jobs(limits);
  const [first, second] = [new AbortController(), new AbortController()];
  const job = endless(jobs, "a");
  job.attach(first.signal);
  job.attach(second.signal);
  first.abort(new EndpointError("cancelled", "the first left"));
  await sleep(5);
  expect(job.result).toBeUndefined();
  second.abort(new EndpointError("cancelled", "the second left"));
  expect(await job.finished).toMatchObject({ error: { message: "the second left" } });
  expect(endless(jobs, "a"), "a cancelled one is no result").not.toBe(job);

  const detached = endless(jobs, "b");
  const caller = new AbortController();
  detached.attach(caller.signal);
  detached.detach();
  caller.abort();
  await sleep(5);
  expect(detached.result).toBeUndefined();
});
