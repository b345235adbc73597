/** Five hundred messages, a tenth of them twice and a twentieth poison, while workers are lost with their machines. */
import { expect, test } from "vitest";
import { expectNothingLost } from "../support/expect-soaked.ts";
import { soak } from "../support/sqs-soak.ts";

test("killed every 20 s: every result exactly once, all poison reported and dead, nothing left", async () => {
  const report = await soak({ messages: 500, steps: 12, everySeconds: 20, signal: "SIGKILL" });
  expect(report.ends).toBeGreaterThan(1);
  expectNothingLost(report);
});
