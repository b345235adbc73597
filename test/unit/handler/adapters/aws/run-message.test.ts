import { pino } from "pino";
import { expect, test } from "vitest";
import { runMessage } from "../../../../../handler/adapters/aws/run-message.ts";
import type { Endpoint } from "../../../../../handler/endpoint.ts";

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
  const context = {
    endpoint,
    source: "sqs",
    results: undefined,
    read: async () => undefined,
    signal: new AbortController().signal,
    log: pino({ level: "silent" }),
  };
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
