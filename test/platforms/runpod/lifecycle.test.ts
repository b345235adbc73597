/** How a worker ends, and its engine: signals, death, and an engine that never starts. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { startAws } from "../../support/aws.ts";
import { startEndpoint } from "../../support/endpoint.ts";
import { type Answer, handsOut, startJobServer } from "../../support/job-server.ts";
import { replay, sentOn } from "../../support/runpod-scenarios.ts";
import { quickJob, resultOf, resultsOf, slowJob, startWorker } from "../../support/runpod-worker.ts";

const HANGS: Answer = { when: new Promise(() => {}) };
replay(
  ["sigterm-idle", "sigterm-idle-stop-hangs"],
  "F13: an idle worker exits at once, whatever polls are open",
  async (recorded) => {
    const { server, endpoint } = await startWorker({ take: [HANGS], stop: [HANGS] });
    await server.called("stop");
    const signalledAt = performance.now();
    endpoint.process.kill("SIGTERM");
    expect(await endpoint.exited).toBe(recorded.exit);
    expect(performance.now() - signalledAt, "not the 90 s of the library").toBeLessThan(5_000);
    expect(server.on("take")[0]!.closedAt).toBeDefined();
  },
);

for (const [name, signal] of [
  ["sigterm-job", "SIGTERM"],
  ["sigint-job", "SIGINT"],
] as const) {
  replay(
    name,
    "F13: with enough grace the job is finished and answered, and none is taken after it",
    async (recorded) => {
      const script = { take: [handsOut(slowJob("job-1", 200)), handsOut(quickJob("job-2"))] };
      const { server, endpoint } = await startWorker(script, { SHUTDOWN_GRACE_SECONDS: "20" });
      await server.called("done");
      endpoint.process.kill(signal);
      expect(await endpoint.exited).toBe(recorded.exit);
      expect(server.results()).toMatchObject([{ id: "job-1", body: { output: { images: [expect.any(String)] } } }]);
      expect(server.on("take")).toHaveLength(1);
    },
  );
}

test.each([
  { setting: {}, outcome: "is left to RunPod", results: [] },
  {
    setting: { RUNPOD_ANSWER_INTERRUPTED: "true" },
    outcome: "is answered on wish",
    results: [{ id: "job-1", body: { error: expect.stringMatching(/^draining: /), output: { retryable: true } } }],
  },
])("F13: a job that the grace is too short for $outcome", async ({ setting, results }) => {
  const settings = { SHUTDOWN_GRACE_SECONDS: "0.5", ...setting };
  const { server, endpoint } = await startWorker({ take: [handsOut(slowJob("job-1", 3_000))] }, settings);
  await server.called("done");
  const signalledAt = performance.now();
  endpoint.process.kill("SIGTERM");
  expect(await endpoint.exited).toBe(0);
  expect(performance.now() - signalledAt).toBeLessThan(5_000);
  expect(server.results()).toMatchObject(results);
  expect(server.results()).toHaveLength(results.length);
});

test("F8, F13: a result that is not taken yet is brought again after SIGTERM, while there is grace", async () => {
  const script = { take: [handsOut(quickJob("job-1"))], done: Array(3).fill({ status: 503 }) };
  const { server, endpoint } = await startWorker(script, { SHUTDOWN_GRACE_SECONDS: "20" });
  await server.called("done");
  endpoint.process.kill("SIGTERM");
  expect(await endpoint.exited).toBe(0);
  expect(server.results()).toHaveLength(4);
});

replay("sigterm-twice", "F13: the second signal ends the process", async () => {
  const settings = { SHUTDOWN_GRACE_SECONDS: "20" };
  const { server, endpoint } = await startWorker({ take: [handsOut(slowJob("job-1", 3_000))] }, settings);
  await server.called("done");
  endpoint.process.kill("SIGTERM");
  await endpoint.logged(({ message }) => message === "shutting down");
  endpoint.process.kill("SIGTERM");
  expect(await endpoint.exited).toBe(143);
  expect(server.results()).toEqual([]);
});

replay("sigterm-take-answers-job", "a job that was on its way when the signal came is run and answered", async () => {
  const signalled = Promise.withResolvers<void>();
  const late = { ...handsOut(quickJob("late")), when: signalled.promise };
  const { server, endpoint } = await startWorker({ take: [late] }, { SHUTDOWN_GRACE_SECONDS: "20" });
  await server.called("take");
  endpoint.process.kill("SIGTERM");
  await endpoint.logged(({ message }) => message === "shutting down");
  signalled.resolve();
  expect(await endpoint.exited).toBe(0);
  expect(server.results()).toMatchObject([{ id: "late", body: { output: { status: "succeeded" } } }]);
});

replay("sigkill-job", "F14: pings end with the process, and the next worker does the job from the start", async () => {
  const { server, endpoint } = await startWorker({
    take: [handsOut(slowJob("job-1", 3_000)), handsOut(slowJob("job-1", 20))],
  });
  await server.called("ping", ({ target }) => target.includes("job_id=job-1"));
  endpoint.process.kill("SIGKILL");
  await endpoint.exited;
  await sleep(500);
  const pings = server.on("ping").length;
  await sleep(1_500);
  expect(server.on("ping")).toHaveLength(pings);
  expect(server.results()).toEqual([]);
  await startEndpoint(server.environment);
  expect(await resultOf(server)).toMatchObject({ id: "job-1", body: { output: { images: [expect.any(String)] } } });
});

test("F12: a stop that arrives while the result is brought ends in one result or in none, and the worker lives", async () => {
  const stopNow = Promise.withResolvers<void>();
  const { server } = await startWorker({
    take: [handsOut(quickJob("job-1")), handsOut(quickJob("job-2"))],
    done: [{ status: 503 }],
    stop: [{ json: { jobsToStop: ["job-1"] }, when: stopNow.promise }],
  });
  await server.called("done");
  stopNow.resolve();
  await server.called("done", ({ target }) => target.includes("/job-2?"));
  expect(server.results().filter(({ id }) => id === "job-1").length).toBeLessThanOrEqual(2);
});

test("F12: a job that is stopped while its outputs are uploaded is not answered, and the next one is run", async () => {
  const aws = await startAws();
  const { SQS_QUEUE_URL: _queue, ...bucket } = aws.settings;
  const stopNow = Promise.withResolvers<void>();
  const script = {
    take: [handsOut(quickJob("job-1")), handsOut(quickJob("job-2"))],
    stop: [{ json: { jobsToStop: ["job-1"] }, when: stopNow.promise }],
  };
  aws.setFault(({ action }) => (action === "PUT" ? "hang" : undefined));
  const { server } = await startWorker(script, bucket);
  while (!aws.calls.some(({ action }) => action === "PUT")) await sleep(50);
  aws.setFault(undefined);
  stopNow.resolve();
  expect(await resultOf(server)).toMatchObject({ id: "job-2", body: { output: { status: "succeeded" } } });
  expect(await aws.keys("results/")).toEqual(["results/job-2.json"]);
});

replay(
  "fitness-own-check-fails",
  "F21: an engine that does not start is told, and the process exits with 1",
  async (recorded) => {
    const server = await startJobServer();
    const endpoint = await startEndpoint({ ...server.environment, COMFYUI_ARGS: "--fault boot-exit=3" });
    expect(await endpoint.exited).toBe(recorded.exit);
    const last = server.on("ping").at(-1)!;
    const query = (target: string) => new URL(target, "http://server").searchParams;
    const theirs = query(sentOn(recorded, "ping").at(-1)!.target);
    expect([...query(last.target).keys()]).toEqual([...theirs.keys()]);
    expect(query(last.target).get("status")).toBe("unhealthy");
    expect(query(last.target).get("check")).toBe("comfyui_start_failed");
    expect(query(last.target).get("reason")!.length).toBeLessThanOrEqual(256);
    expect(server.on("take")).toEqual([]);
  },
);

test("an engine that dies in mid-job fails that job, and no other is taken before it serves again", async () => {
  const script = { take: [handsOut(slowJob("job-1", 3_000)), handsOut(quickJob("job-2"))] };
  const { server, endpoint } = await startWorker(script);
  await server.called("done");
  process.kill(-endpoint.enginePid(), "SIGKILL");
  const [failed, next] = await resultsOf(server, 2);
  expect(failed).toMatchObject({
    id: "job-1",
    body: { error: expect.stringMatching(/^comfyui_exited: /), output: { retryable: true } },
  });
  expect(next).toMatchObject({ id: "job-2", body: { output: { status: "succeeded" } } });
  const readyAgain = endpoint.log.findLastIndex(({ message }) => message === "engine ready");
  const takenSecond = endpoint.log.findLastIndex(({ message }) => message === "job taken");
  expect(takenSecond).toBeGreaterThan(readyAgain);
});

test("F21: an engine beyond repair: its job is answered, RunPod is told, and the process exits with 1", async () => {
  const script = { take: [handsOut(slowJob("job-1", 3_000))] };
  const { server, endpoint } = await startWorker(script, { COMFYUI_MAX_RESTARTS: "0" });
  await server.called("done");
  process.kill(-endpoint.enginePid(), "SIGKILL");
  expect(await endpoint.exited).toBe(1);
  expect(server.results()).toMatchObject([
    { id: "job-1", body: { error: expect.stringMatching(/^comfyui_exited: /) } },
  ]);
  expect(server.on("ping").at(-1)!.target).toContain("status=unhealthy&check=");
});
