/** How often a worker says that it lives, and what it does when nobody hears it. */
import { expect } from "vitest";
import { type Answer, handsOut } from "../../support/job-server.ts";
import { replay, sentOn } from "../../support/runpod-scenarios.ts";
import { quickJob, resultsOf, startWorker } from "../../support/runpod-worker.ts";

const HANGS: Answer = { when: new Promise(() => {}) };

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
