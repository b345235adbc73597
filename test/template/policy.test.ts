/** The numbers of template.yaml's scaling. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ROOT } from "../support/source-files.ts";
import { propertiesOf, readPolicy } from "./policy.ts";
import { type Fields, resolveStack, TEMPLATE } from "./resolve.ts";

const ECS = resolveStack({ ImageUri: "worker:1" });

const policy = readPolicy(ECS);

test.each([0, 2])(
  "the number of workers is between MinWorkers (%i) and MaxWorkers, and begins at the former",
  (MinWorkers) => {
    const stack = resolveStack({ ImageUri: "worker:1", MinWorkers, MaxWorkers: 7 });
    expect(readPolicy(stack)).toMatchObject({ minWorkers: MinWorkers, maxWorkers: 7 });
    expect(propertiesOf(stack, "Service")["DesiredCount"]).toBe(MinWorkers);
  },
);

test("there is a step for each number of workers that MaxWorkers allows, as many as Application Auto Scaling takes", () => {
  const most = Number(TEMPLATE.Parameters["MaxWorkers"]!["MaxValue"]);
  const [backlog] = policy.rules;
  const counts = Array.from({ length: most }, (_, index) => index + 1);
  expect(counts.map((count) => backlog!.workersFor(count))).toEqual(counts);
  expect(backlog!.workersFor(1000)).toBe(most);
  expect(backlog!.workersFor(0)).toBeUndefined();
  expect(most).toBeLessThanOrEqual(20);
});

test.each([
  { visible: 1, inflight: 0, taken: 0, each: 1, wanted: 1 },
  { visible: 1, inflight: 4, taken: 0, each: 1, wanted: 5 },
  { visible: 9, inflight: 0, taken: 0, each: 4, wanted: 3 },
  { visible: 0, inflight: 0, taken: 3, each: 1, wanted: 1 },
  { visible: undefined, inflight: undefined, taken: undefined, each: 1, wanted: 0 },
])(
  "wants $wanted for $visible waiting, $inflight running, $taken taken, $each for each",
  ({ each, wanted, ...metrics }) => {
    const { rules } = readPolicy(resolveStack({ ImageUri: "worker:1", JobsPerWorker: each }));
    expect(rules[0]!.value(metrics)).toBe(wanted);
    expect(rules[0]!.isBreach(wanted)).toBe(wanted > 0);
  },
);

test("the number goes down only after IdleMinutes of nothing", () => {
  const idle = readPolicy(resolveStack({ ImageUri: "worker:1", IdleMinutes: 7 })).rules[1]!;
  expect(idle).toMatchObject({ periods: 7, datapoints: 7, periodSeconds: 60, missingIsBreach: true });
  expect(idle.workersFor(0)).toBe(0);
  const datapoints = { visible: 0, inflight: 0, taken: 0 };
  expect(idle.isBreach(idle.value(datapoints)!)).toBe(true);
  for (const name of Object.keys(datapoints))
    expect(idle.isBreach(idle.value({ ...datapoints, [name]: 1 })!)).toBe(false);
});

test("the scaling of a function is the function's own", () => {
  const stack = resolveStack({ ImageUri: "worker:1", ComputeMode: "lambda", MinWorkers: 1, MaxWorkers: 3 });
  const limits = { MinExecutionEnvironments: 1, MaxExecutionEnvironments: 3 };
  expect(propertiesOf(stack, "Function")["FunctionScalingConfig"]).toEqual(limits);
  expect(propertiesOf(stack, "JobSource")).toMatchObject({ BatchSize: 1, ScalingConfig: { MaximumConcurrency: 3 } });
});

test("one function alone asks for no concurrency that Lambda refuses", () => {
  const stack = resolveStack({ ImageUri: "worker:1", ComputeMode: "lambda", MaxWorkers: 1 });
  expect(propertiesOf(stack, "JobSource")).not.toHaveProperty("ScalingConfig");
});

test("the queue is touched more often than it goes dark", () => {
  expect(policy.keepAwakeSeconds).toBeLessThan(6 * 3600);
  const target = propertiesOf(ECS, "QueueKeepAwake")["Target"] as Fields;
  const queue = propertiesOf(ECS, "JobQueue");
  // What is set is what is there already: no drift.
  expect(JSON.parse(target["Input"] as string)).toEqual({
    QueueUrl: "<JobQueue>",
    Attributes: { ReceiveMessageWaitTimeSeconds: String(queue["ReceiveMessageWaitTimeSeconds"]) },
  });
});

test("the page about it has the template's numbers", () => {
  const page = readFileSync(join(ROOT, "docs/scaling.md"), "utf8");
  const { rules, graceSeconds, keepAwakeSeconds } = readPolicy(ECS);
  expect(page).toContain(`when it is fewer after ${rules[0]!.cooldownSeconds / 60} minutes without a change`);
  expect(page).toContain(`hands its job back after ${graceSeconds} s`);
  expect(page).toContain("`QueueKeepAwake` calls it each hour");
  expect(keepAwakeSeconds).toBe(3600);
});
