/** Parts of RunPod's protocol that a worker with one engine does not show by itself, or only in minutes. */
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { expect, onTestFinished, test, vi } from "vitest";
import { Addresses } from "../../../handler/adapters/runpod/addresses.ts";
import { JobServer } from "../../../handler/adapters/runpod/job-server.ts";
import { Pings } from "../../../handler/adapters/runpod/pings.ts";
import { KEY, startJobServer } from "../../support/job-server.ts";
import { RECORDED, replay, SCENARIOS, sentOn } from "../../support/runpod-scenarios.ts";

const addressesOf = (environment: Record<string, string>) =>
  new Addresses({
    take: environment["RUNPOD_WEBHOOK_GET_JOB"]!,
    done: environment["RUNPOD_WEBHOOK_POST_OUTPUT"]!,
    ping: environment["RUNPOD_WEBHOOK_PING"],
    workerId: "worker-1",
  });

test("every recorded scenario has its judgement", () => {
  expect(Object.keys(SCENARIOS).sort()).toEqual(Object.keys(RECORDED).sort());
});

test("every scenario with a counterpart is replayed", () => {
  const tests = readdirSync(import.meta.dirname).map((file) => readFileSync(join(import.meta.dirname, file), "utf8"));
  const names = Object.keys(SCENARIOS).filter((name) => !SCENARIOS[name]!.startsWith("no counterpart"));
  const isReplayed = (name: string) => tests.some((text) => text.includes(`"${name}"`));
  expect(names.filter((name) => !isReplayed(name))).toEqual([]);
});

replay(
  "concurrency-3",
  "as many jobs are asked for as can start, several at the address for batches",
  async (recorded) => {
    const { environment } = await startJobServer();
    const addresses = addressesOf(environment);
    const theirs = sentOn(recorded, "take").map(({ target }) => target);
    const ours = [addresses.take(3, false), addresses.take(1, true)].map((address) => {
      const { pathname, search } = new URL(address);
      return pathname + search;
    });
    expect(ours).toEqual(theirs.slice(0, 2));
  },
);

replay("idle-hang", "F10: a poll is given up after 90 seconds", async () => {
  const server = await startJobServer({ take: [{ when: new Promise(() => {}) }] });
  const asked: number[] = [];
  const timeout = vi.spyOn(AbortSignal, "timeout").mockImplementation((ms) => {
    asked.push(ms);
    const soon = new AbortController();
    setTimeout(() => soon.abort(), 200);
    return soon.signal;
  });
  onTestFinished(() => timeout.mockRestore());
  const jobServer = new JobServer({ addresses: addressesOf(server.environment), apiKey: KEY, onRetry: () => {} });
  const poll = await jobServer.take(1, false, new AbortController().signal);
  expect(poll).toMatchObject({ items: [] });
  expect(poll.problem).toBeUndefined();
  expect(asked).toEqual([90_000]);
  await vi.waitFor(() => expect(server.on("take")[0]!.closedAt).toBeDefined());
});

test("job ids are filled in as one part of the address, whatever they hold", async () => {
  const { environment } = await startJobServer();
  expect(new URL(addressesOf(environment).done("a/b?c=$ID")).pathname).toBe(
    "/v2/ep1/job-done/worker-1/a%2Fb%3Fc%3D%24ID",
  );
});

/** A server of its own thread, which counts what comes while this one is busy. */
const COUNTER = `
const { parentPort, workerData } = require("node:worker_threads");
const server = require("node:http").createServer((request, response) => {
  Atomics.add(new Int32Array(workerData), 0, 1);
  response.end("{}");
});
server.listen(0, "127.0.0.1", () => parentPort.postMessage(server.address().port));
`;

const NOTHING = new Int32Array(new SharedArrayBuffer(4));

test("pings go on while the main thread is busy", async () => {
  const shared = new SharedArrayBuffer(4);
  const counted = new Int32Array(shared);
  const counter = new Worker(COUNTER, { eval: true, workerData: shared });
  onTestFinished(async () => {
    await counter.terminate();
  });
  const [port] = (await once(counter, "message")) as [number];
  const ping = `http://127.0.0.1:${port}/ping/$RUNPOD_POD_ID?gpu=x`;
  const addresses = new Addresses({ take: "http://x/", done: "http://x/", ping, workerId: "worker-1" });
  const onEnd = vi.fn<(error: Error) => void>();
  const pings = new Pings({ addresses, apiKey: KEY, intervalMs: 100, sdkVersion: "1.12.0", onEnd });
  onTestFinished(() => pings.stop());
  await vi.waitFor(() => expect(Atomics.load(counted, 0)).toBeGreaterThan(0), 10_000);
  const before = Atomics.load(counted, 0);
  const givenUpAt = performance.now() + 20_000;
  // Not one turn of the event loop until then.
  while (Atomics.load(counted, 0) - before <= 3 && performance.now() < givenUpAt) Atomics.wait(NOTHING, 0, 0, 100);
  expect(Atomics.load(counted, 0) - before).toBeGreaterThan(3);
  expect(onEnd).not.toHaveBeenCalled();
});
