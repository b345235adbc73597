/** From a worker's start to its end: pings, polls without jobs, signals, death. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { startEndpoint } from "../../support/endpoint.ts";
import { type Answer, handsOut, startJobServer } from "../../support/job-server.ts";
import { replay, sentOn } from "../../support/runpod-scenarios.ts";
import { quickJob, resultOf, resultsOf, slowJob, startWorker } from "../../support/runpod-worker.ts";

const HANGS: Answer = { when: new Promise(() => {}) };
const JSON_TYPE = "application/json";

const NOTHINGS: Record<string, { answers: Answer[]; leastGapMs: number }> = {
  "idle-204-at-once": { answers: [{ status: 204 }, { status: 204 }], leastGapMs: 900 },
  "idle-400": { answers: [{ status: 400 }, { status: 400 }], leastGapMs: 900 },
  "idle-html": { answers: [{ text: "<html>", type: "text/html" }], leastGapMs: 900 },
  "idle-bad-json": {
    answers: ['{"id": ', "", "null", "7", "[]"].map((text) => ({ text, type: JSON_TYPE })),
    leastGapMs: 900,
  },
  "idle-500": { answers: [{ status: 500 }, { status: 500 }, { status: 500 }], leastGapMs: 700 },
  "idle-reset": { answers: [{ status: 0 }, { status: 0 }], leastGapMs: 700 },
  "idle-429": { answers: [{ status: 429 }], leastGapMs: 4_900 },
};

for (const [name, { answers, leastGapMs }] of Object.entries(NOTHINGS)) {
  replay(name, "F10: the next poll comes after a while, and the job that it brings is run", async (recorded) => {
    const { server } = await startWorker({ take: [...answers, handsOut(quickJob("job-1"))] });
    const { body } = await resultOf(server);
    expect(body).toMatchObject({ output: { status: "succeeded" } });
    const polls = server.on("take").slice(0, answers.length + 1);
    const gaps = polls.slice(1).map(({ at }, index) => at - polls[index]!.at);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(leastGapMs);
    expect(polls[0]!.target).toBe(sentOn(recorded, "take")[0]!.target);
  });
}

replay("idle-429", "the stop channel waits as long", async () => {
  const { server } = await startWorker({ stop: [{ status: 429 }] });
  await server.called("stop", () => server.on("stop").length === 2);
  const [first, second] = server.on("stop");
  expect(second!.at - first!.at).toBeGreaterThan(4_900);
});

replay(
  ["sigterm-idle", "sigterm-idle-stop-hangs"],
  "F13: an idle worker exits at once, whatever polls are open",
  async (recorded) => {
    const { server, endpoint } = await startWorker({ take: [HANGS], stop: [HANGS] });
    await server.called("stop");
    const signalledAt = performance.now();
    endpoint.process.kill("SIGTERM");
    expect(await endpoint.exited).toBe(recorded.exit);
    expect(performance.now() - signalledAt).toBeLessThan(2_000);
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
  const late = { ...handsOut(quickJob("late")), when: signalled.promise, afterMs: 100 };
  const { server, endpoint } = await startWorker({ take: [late] }, { SHUTDOWN_GRACE_SECONDS: "20" });
  await server.called("take");
  endpoint.process.kill("SIGTERM");
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
  await sleep(100);
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

replay("ping-500", "a ping that is not heard is repeated at once, then after two seconds", async () => {
  const { server } = await startWorker({ ping: [{ status: 500 }, { status: 429 }] }, { RUNPOD_PING_INTERVAL: "6000" });
  await server.called("ping", () => server.on("ping").length === 3);
  const [first, second, third] = server.on("ping").map(({ at }) => at);
  expect(second! - first!).toBeLessThan(1_000);
  expect(third! - second!).toBeGreaterThan(1_900);
  expect(third! - second!).toBeLessThan(4_000);
});

replay("ping-hang", "a ping without an answer is given up after two intervals", async () => {
  const { server } = await startWorker({ ping: [HANGS] }, { RUNPOD_PING_INTERVAL: "1000" });
  await server.called("ping", () => server.on("ping").length === 2);
  const [first, second] = server.on("ping");
  // Counted from before the connection was there.
  expect(second!.at - first!.at).toBeGreaterThan(1_200);
  expect(first!.closedAt! - first!.at).toBeLessThan(3_000);
});

replay("ping-interval-float", "pings come at the interval", async () => {
  const { server } = await startWorker({}, { RUNPOD_PING_INTERVAL: "1500" });
  await server.called("ping", () => server.on("ping").length === 3);
  const [, second, third] = server.on("ping");
  expect(Math.abs(third!.at - second!.at - 1_500)).toBeLessThan(300);
});

replay("ping-none-without-key", "without a key or the worker's id there are no pings; jobs run", async (recorded) => {
  const { server } = await startWorker({ take: [handsOut(quickJob("job-1"))] }, { RUNPOD_AI_API_KEY: "" });
  await resultsOf(server, 1);
  expect(server.on("take")[0]!.headers.authorization).toBeUndefined();
  expect([server.on("ping"), sentOn(recorded, "ping")]).toEqual([[], []]);
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
