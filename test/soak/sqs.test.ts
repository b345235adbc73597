/** Five hundred messages, a tenth of them twice and a twentieth poison, while workers come and go. */
import { expect, test } from "vitest";
import { expectNothingLost } from "../support/expect-soaked.ts";
import { soak } from "../support/sqs-soak.ts";

test("killed every 20 s: every result exactly once, all poison reported and dead, nothing left", async () => {
  const report = await soak({ messages: 500, steps: 15, everySeconds: 20, signal: "SIGKILL" });
  expect(report.ends).toBeGreaterThan(1);
  expectNothingLost(report);
});

test("scaled in every 20 s by SIGTERM: the same, and nothing is run twice", async () => {
  const report = await soak({ messages: 500, steps: 15, everySeconds: 20, signal: "SIGTERM" });
  expect(report.ends).toBeGreaterThan(1);
  expectNothingLost(report);
  expect([...report.runs].filter(([, times]) => times > 1)).toEqual([]);
});
