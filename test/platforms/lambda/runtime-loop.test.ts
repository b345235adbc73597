/** The loop between the worker and the Runtime API: what is sent, in which order, and what happens when the other side fails. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { startEndpoint } from "../../support/endpoint.ts";
import { type RuntimeCall, startLambda, startLambdaRuntime } from "../../support/lambda-runtime.ts";
import { colourGraph, slowTxt2Img } from "../../support/payloads.ts";

interface Exchange {
  method: string;
  target: string;
  headers: Record<string, string>;
  body?: string;
  answer?: { status: number; requestId?: string };
}

interface Recording {
  scenario: string;
  env: Record<string, string>;
  exchanges: Exchange[];
}

const RECORDINGS = new URL("../../fixtures/platforms/lambda/runtime-api-awslambdaric.jsonl", import.meta.url);
const recordings = readFileSync(RECORDINGS, "utf8")
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line) as Recording);
const recording = (name: string) => recordings.find(({ scenario }) => scenario === name)!;

const FINE = { prompt: colourGraph(1) };
const BOOT_FAILS = { COMFYUI_ARGS: "--fault boot-exit=3" };

/** What AWS's Python client sends when its handler does what our worker does with the event; and what we send after it. */
const SAME: { scenario: string; event: object; after: string[] }[] = [
  { scenario: "ok", event: FINE, after: [] },
  { scenario: "handler-raises", event: {}, after: [] },
  // The client exits here. A caller is better served by the reason, and the next one by a warm worker.
  { scenario: "response-413", event: FINE, after: ["POST invocation/1/error", "GET invocation/next"] },
  // It exits here too, and the result is lost.
  { scenario: "response-500", event: FINE, after: ["POST invocation/1/response", "GET invocation/next"] },
  { scenario: "next-500", event: FINE, after: ["GET invocation/next"] },
];
const STARTS = [
  "init-import-error",
  "init-module-raises",
  "init-syntax-error",
  "init-handler-missing",
  "init-bad-handler-name",
];
const OUT_OF_REACH: Record<string, string> = {
  unserialisable: "every result of ours is JSON",
  "process-exits": "no code of callers runs in the worker's process",
  "sys-exit": "the same",
};

const shorten = (target: string) => target.replace("/2018-06-01/runtime/", "").replace(/0{8}-0000-4000-8000-0{11}/, "");
const shown = ({ method, target }: Exchange) => `${method} ${shorten(target)}`;
const keysOf = (json: string) => Object.keys(JSON.parse(json));

describe("what AWS's own client sends is sent", () => {
  test("every recorded scenario is replayed, or out of reach", () => {
    const known = [...SAME.map(({ scenario }) => scenario), ...STARTS, ...Object.keys(OUT_OF_REACH)];
    expect([...known, "max-concurrency-2"].sort()).toEqual(recordings.map(({ scenario }) => scenario).sort());
  });

  for (const { scenario, event, after } of SAME)
    test(scenario, async () => {
      const { exchanges } = recording(scenario);
      const { runtime } = await startLambda();
      for (const { target, answer } of exchanges)
        if (answer && answer.status >= 400) runtime.fail(shorten(target).replace(/\d+/, "*"), answer.status);
      const given = exchanges.flatMap(({ answer }) => answer?.requestId ?? []);
      for (const requestId of given)
        await runtime.invoke(event, { requestId: requestId.replace(/^[0-]+4000-8000-0+/, "") });
      await runtime.polling();

      const expected = [...exchanges.map(shown), ...after];
      expect(runtime.calls.map(({ method, path }) => `${method} ${path}`)).toEqual(expected);
      for (const [index, { headers, body }] of exchanges.entries()) {
        const ours = runtime.calls[index]!;
        expect(ours.headers["content-type"]).toBe(headers["content-type"]);
        if (ours.route.endsWith("/error")) expect(keysOf(ours.body)).toEqual(expect.arrayContaining(keysOf(body!)));
      }
    });

  test("F21: a start that fails, as an error of the init phase and exit code 1", async () => {
    const { runtime, worker } = await startLambda(BOOT_FAILS);
    expect(await worker.exited).toBe(1);
    const [{ headers, body, method, path }, ...others] = runtime.calls as [RuntimeCall, ...RuntimeCall[]];
    expect(others).toEqual([]);
    const { errorType, errorMessage } = JSON.parse(body);
    expect(errorType).toBe("comfyui_start_failed");
    expect(errorMessage).toContain("did not start");
    expect(headers["lambda-runtime-function-error-type"]).toBe(errorType);
    for (const scenario of STARTS) {
      const { exchanges } = recording(scenario);
      expect([`${method} ${path}`]).toEqual(exchanges.map(shown));
      expect(keysOf(body)).toEqual(expect.arrayContaining(keysOf(exchanges[0]!.body!)));
      expect(Object.keys(headers)).toEqual(expect.arrayContaining(Object.keys(exchanges[0]!.headers)));
    }
  });

  test("max-concurrency-2", async () => {
    const { env, exchanges } = recording("max-concurrency-2");
    const { runtime } = await startLambda(env);
    await Promise.all(["1", "2", "3"].map((requestId) => runtime.invoke(FINE, { requestId })));
    await runtime.polling(2);
    const calls = runtime.calls.map(({ method, path }) => `${method} ${path}`);
    expect(calls.slice(0, 2)).toEqual(exchanges.slice(0, 2).map(shown));
    expect(calls.sort()).toEqual(exchanges.map(shown).sort());
  });
});

test("F21: nothing is taken before the engine serves", async () => {
  const { runtime, worker } = await startLambda({ COMFYUI_ARGS: "--fault boot-delay=1500" });
  const outcome = runtime.invoke(FINE);
  await worker.logged(({ to }) => to === "warming");
  expect(runtime.calls).toEqual([]);
  expect(await outcome).toMatchObject({ kind: "response" });
});

test("an engine that dies in mid-invocation fails it as retryable, and nothing is taken until it is back", async () => {
  const { runtime, worker } = await startLambda();
  const outcome = runtime.invoke(slowTxt2Img());
  await worker.logged(({ message }) => message === "prompt queued");
  process.kill(worker.enginePid(), "SIGKILL");
  expect(await outcome).toMatchObject({ kind: "error", body: { errorType: "comfyui_exited", retryable: true } });
  const polls = runtime.calls.filter(({ route }) => route === "invocation/next").length;
  await worker.logged(({ to }) => to === "restarting");
  expect(runtime.calls.filter(({ route }) => route === "invocation/next").length).toBe(polls);
  expect(await runtime.invoke(FINE)).toMatchObject({ kind: "response" });
});

test("a poll that fails is repeated ever more slowly, and the event after it is served", async () => {
  const { runtime } = await startLambda();
  runtime.fail("invocation/next", 500, "reset", 403, 500);
  expect(await runtime.invoke(FINE)).toMatchObject({ kind: "response" });
  const polls = runtime.calls.filter(({ route }) => route === "invocation/next").map(({ at }) => at);
  const pauses = polls.slice(1, 5).map((at, index) => at - polls[index]!);
  for (const [index, leastMs] of [100, 200, 400, 800].entries()) expect(pauses[index]).toBeGreaterThan(leastMs - 5);
});

test("an answer on which the connection is reset is sent again, whole", async () => {
  const { runtime } = await startLambda();
  runtime.fail("invocation/*/response", "reset", 500);
  expect(await runtime.invoke(FINE)).toMatchObject({ kind: "response", body: { status: "succeeded" } });
  const [first, ...repeated] = runtime.calls.filter(({ route }) => route === "invocation/*/response");
  expect(repeated.map(({ body }) => body)).toEqual([first!.body, first!.body]);
});

test("an answer for which Lambda knows no invocation any more is left at that", async () => {
  const { runtime, worker } = await startLambda();
  runtime.fail("invocation/*/response", 400);
  void runtime.invoke(FINE);
  await worker.logged(({ status }) => status === 400);
  expect(await runtime.invoke(FINE)).toMatchObject({ kind: "response" });
  expect(runtime.calls.filter(({ route }) => route === "invocation/*/response")).toHaveLength(2);
});

test("a worker whose Runtime API is gone for good exits with code 1", async () => {
  const { runtime, worker } = await startLambda();
  runtime.fail("invocation/next", ...Array.from({ length: 20 }, () => "reset" as const));
  expect(await worker.exited).toBe(1);
  expect(runtime.calls).toHaveLength(8);
});

test("F13: SIGTERM while nothing runs ends the worker at once", async () => {
  const { runtime, worker } = await startLambda({ SHUTDOWN_GRACE_SECONDS: "20" });
  await runtime.polling();
  const startedAt = performance.now();
  worker.process.kill("SIGTERM");
  expect(await worker.exited).toBe(0);
  expect(performance.now() - startedAt).toBeLessThan(3_000);
  expect(runtime.calls).toHaveLength(1);
});

test("F13: SIGTERM in mid-invocation: what ends within the grace is answered, and nothing more is taken", async () => {
  const { runtime, worker } = await startLambda({ SHUTDOWN_GRACE_SECONDS: "20" });
  const outcome = runtime.invoke(slowTxt2Img({ steps: 100 }));
  await worker.logged(({ message }) => message === "prompt queued");
  worker.process.kill("SIGTERM");
  expect(await outcome).toMatchObject({ kind: "response" });
  expect(await worker.exited).toBe(0);
  expect(runtime.calls.filter(({ route }) => route === "invocation/next")).toHaveLength(1);
});

test("F13: SIGTERM while one poll waits and the other's invocation runs: that is answered", async () => {
  const { runtime, worker } = await startLambda({ SHUTDOWN_GRACE_SECONDS: "20", AWS_LAMBDA_MAX_CONCURRENCY: "2" });
  const outcome = runtime.invoke(slowTxt2Img({ steps: 100 }));
  await worker.logged(({ message }) => message === "prompt queued");
  // The answer is posted at last when nothing else is left to do.
  runtime.fail("invocation/*/response", 500, 500, 500);
  worker.process.kill("SIGTERM");
  expect(await outcome).toMatchObject({ kind: "response" });
  expect(await worker.exited).toBe(0);
});

test("F13: SIGTERM in mid-invocation: what does not end within the grace is told as an error", async () => {
  const { runtime, worker } = await startLambda({ SHUTDOWN_GRACE_SECONDS: "0.5" });
  const outcome = runtime.invoke(slowTxt2Img({ steps: 4_000 }));
  await worker.logged(({ message }) => message === "prompt queued");
  const startedAt = performance.now();
  worker.process.kill("SIGTERM");
  expect(await outcome).toMatchObject({ kind: "error", body: { errorType: "draining", retryable: true } });
  expect(await worker.exited).toBe(0);
  expect(performance.now() - startedAt).toBeLessThan(4_000);
});

test("with AWS's Lambda Web Adapter in the image the worker listens, and leaves the Runtime API to it", async () => {
  const runtime = await startLambdaRuntime();
  const endpoint = await startEndpoint({ ...runtime.settings, AWS_LWA_PORT: "8080" });
  await endpoint.ready();
  expect(runtime.calls).toEqual([]);
});
