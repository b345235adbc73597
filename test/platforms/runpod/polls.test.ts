import { expect } from "vitest";
import { type Answer, handsOut } from "../../support/job-server.ts";
import { replay, sentOn } from "../../support/runpod-scenarios.ts";
import { quickJob, resultOf, resultsOf, startWorker } from "../../support/runpod-worker.ts";

const HANGS: Answer = { when: new Promise(() => {}) };
const JSON_TYPE = "application/json";

/** A second lies between two polls, counted by the worker; here also how long the way of the first one was. */
const A_SECOND_MS = 500;
const NOTHINGS: Record<string, { answers: Answer[]; leastGapMs: number }> = {
  "idle-204-at-once": { answers: [{ status: 204 }, { status: 204 }], leastGapMs: A_SECOND_MS },
  "idle-400": { answers: [{ status: 400 }, { status: 400 }], leastGapMs: A_SECOND_MS },
  "idle-html": { answers: [{ text: "<html>", type: "text/html" }], leastGapMs: A_SECOND_MS },
  "idle-bad-json": {
    answers: ['{"id": ', "", "null", "7", "[]"].map((text) => ({ text, type: JSON_TYPE })),
    leastGapMs: A_SECOND_MS,
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
  await server.calledTimes("stop", 2);
  const [first, second] = server.on("stop");
  expect(second!.at - first!.at).toBeGreaterThan(4_900);
});

replay("ping-500", "a ping that is not heard is repeated at once, then after two seconds", async () => {
  const { server } = await startWorker({ ping: [{ status: 500 }, { status: 429 }] }, { RUNPOD_PING_INTERVAL: "6000" });
  await server.calledTimes("ping", 3);
  const [first, second, third] = server.on("ping").map(({ at }) => at);
  expect(second! - first!).toBeLessThan(1_900);
  expect(third! - second!).toBeGreaterThan(1_900);
  expect(third! - second!, "not at the next interval").toBeLessThan(5_500);
});

replay("ping-hang", "a ping without an answer is given up after two intervals", async () => {
  const { server } = await startWorker({ ping: [HANGS] }, { RUNPOD_PING_INTERVAL: "1000" });
  await server.calledTimes("ping", 2);
  const [first, second] = server.on("ping");
  // Counted from before the connection was there.
  expect(second!.at - first!.at).toBeGreaterThan(1_200);
  expect(first!.closedAt! - first!.at).toBeLessThan(6_000);
});

replay("ping-interval-float", "pings come at the interval", async () => {
  const { server } = await startWorker({}, { RUNPOD_PING_INTERVAL: "1500" });
  await server.calledTimes("ping", 3);
  const [first, , third] = server.on("ping");
  const tookMs = third!.at - first!.at;
  expect(tookMs, "two intervals; the library makes whole seconds of each").toBeGreaterThan(2_400);
  expect(tookMs).toBeLessThan(4_000);
});

replay("ping-none-without-key", "without a key or the worker's id there are no pings; jobs run", async (recorded) => {
  const { server } = await startWorker({ take: [handsOut(quickJob("job-1"))] }, { RUNPOD_AI_API_KEY: "" });
  await resultsOf(server, 1);
  expect(server.on("take")[0]!.headers.authorization).toBeUndefined();
  expect([server.on("ping"), sentOn(recorded, "ping")]).toEqual([[], []]);
});
