/** A small soak; `test/soak/` has the long one. */
import { expect, test } from "vitest";
import { expectNothingLost } from "../../support/expect-soaked.ts";
import { soak } from "../../support/sqs-soak.ts";

test("a worker that is killed every few seconds loses nothing and writes nothing twice", {
  timeout: 240_000,
}, async () => {
  const report = await soak({ messages: 40, steps: 10, everySeconds: 3, signal: "SIGKILL" });
  expect(report.ends).toBeGreaterThan(0);
  expectNothingLost(report);
});
