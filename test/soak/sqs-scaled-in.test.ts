/** The same messages as of ./sqs-killed.test.ts, while workers are scaled in. */
import { expect, test } from "vitest";
import { expectNothingLost } from "../support/expect-soaked.ts";
import { soak } from "../support/sqs-soak.ts";

test("ended every 20 s by SIGTERM: nothing is lost, and nothing is run twice", async () => {
  const report = await soak({ messages: 500, steps: 12, everySeconds: 20, signal: "SIGTERM" });
  expect(report.ends).toBeGreaterThan(1);
  expectNothingLost(report);
  expect([...report.runs].filter(([, times]) => times > 1)).toEqual([]);
});
