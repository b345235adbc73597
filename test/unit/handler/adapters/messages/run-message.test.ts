import { pino } from "pino";
import { expect, test } from "vitest";
import { runMessage } from "../../../../../handler/adapters/messages/run-message.ts";
import type { Endpoint } from "../../../../../handler/endpoint.ts";

const CONTEXT = {
  source: "sqs",
  results: undefined,
  read: async () => undefined,
  signal: new AbortController().signal,
  log: pino({ level: "silent" }),
};

test("F2 the same id while the first still runs is not started, and may be tried when that has ended", async () => {
  let finish = () => {};
  let invocations = 0;
  // Two at once, which no engine alone can run.
  const endpoint = {
    invoke: async ({ id }: { id: string }) => {
      invocations += 1;
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      return { id, status: "succeeded", body: {} };
    },
  } as unknown as Endpoint;
  const context = { ...CONTEXT, endpoint };
  const message = (id: string) => ({ id, body: JSON.stringify({ id: "same", prompt: {} }), attempt: 1 });
  const first = runMessage(message("m1"), context);
  expect(await runMessage(message("m2"), context)).toMatchObject([{ id: "same", status: "busy" }]);
  finish();
  expect(await first).toMatchObject([{ id: "same", status: "succeeded" }]);
  const again = runMessage(message("m2"), context);
  await new Promise((resolve) => setImmediate(resolve));
  finish();
  expect(await again).toMatchObject([{ id: "same", status: "succeeded" }]);
  expect(invocations).toBe(2);
});

test.each([
  ["is not run again where the queue would deliver it for ever", 10, "failed", 0],
  ["is run where the queue counts that far", 20, "succeeded", 1],
])("F4 a message that came ten times and left nothing %s", async (_name, limit, status, runs) => {
  let invocations = 0;
  const endpoint = {
    invoke: async ({ id }: { id: string }) => {
      invocations += 1;
      return { id, status: "succeeded", body: {} };
    },
  } as unknown as Endpoint;
  const message = { id: "m", body: JSON.stringify({ prompt: {} }), attempt: 11 };
  const outcomes = await runMessage(message, { ...CONTEXT, endpoint, attemptLimit: async () => limit });
  expect(outcomes).toMatchObject([status === "failed" ? { status, error: { code: "crash_loop" } } : { status }]);
  expect(invocations).toBe(runs);
});
