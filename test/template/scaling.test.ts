/** The scaling that template.yaml asks for, simulated: nothing swings, nothing sticks at zero, no busy worker is sent away. */
import { describe, expect, test } from "vitest";
import { readPolicy } from "./policy.ts";
import { parseTemplate, resolveStack, TEMPLATE_TEXT } from "./resolve.ts";
import { courseOf, NEVER_STARTS, policyOf, SCENARIOS, type Scenario, UNEVEN } from "./scenarios.ts";

const named = (part: string): Scenario => SCENARIOS.find(({ name }) => name.includes(part))!;

/** The policy of a template that differs in a text, which must be there. */
function policyWith(text: string, replacement: string, scenario: Scenario) {
  expect(TEMPLATE_TEXT).toContain(text);
  const template = parseTemplate(TEMPLATE_TEXT.replaceAll(text, replacement));
  return readPolicy(resolveStack({ ImageUri: "worker:1", ...scenario.parameters }, template));
}

/** The number of workers wanted at a moment. */
const wantedAt = (changes: readonly { at: number; workers: number }[], moment: number) =>
  changes.findLast(({ at }) => at <= moment)?.workers ?? 0;

/** AWS's words can be read in two ways. */
const READINGS = [true, false].flatMap((scaleOutHoldsBack) =>
  SCENARIOS.filter(({ name }) => name !== NEVER_STARTS).map((scenario) => ({
    scenario,
    name: scenario.name,
    scaleOutHoldsBack,
  })),
);

describe.each(READINGS)("$name (a rise holds back falls: $scaleOutHoldsBack)", ({ scenario, scaleOutHoldsBack }) => {
  const course = courseOf(scenario, { scaleOutHoldsBack });
  const { jobs } = scenario.surroundings;

  test("every job is done, and what never succeeds is dead", () => {
    const poison = jobs.filter(({ isPoison }) => isPoison).length;
    expect(course).toMatchObject({ done: jobs.length - poison, dead: poison });
  });

  test("no busy worker is sent away", () => expect(course.interrupted).toBe(0));

  test("the workers come as soon as the metrics allow, and are never gone while there is work", () => {
    const [first, last] = [Math.min(...jobs.map(({ arrivesAt }) => arrivesAt)), course.lastResultAt!];
    const delay = scenario.surroundings.metricDelaySeconds ?? 60;
    expect(course.changes[0]!.at - first).toBeLessThanOrEqual(delay + 120);
    expect(course.changes.filter(({ at, workers }) => workers === 0 && at < last)).toEqual([]);
  });

  test("all are gone when nothing has come for the idle minutes, and stay away", () => {
    const { IdleMinutes: idle } = resolveStack({ ImageUri: "worker:1" }).parameters;
    expect(course.changes.at(-1)!.workers).toBe(0);
    expect(course.emptyAt).toBeDefined();
    // What is dead by then was tried until later than the last result.
    const slack = course.dead > 0 ? 5 : 0;
    expect(course.emptyAt! - course.lastResultAt!).toBeLessThanOrEqual((Number(idle) + 5 + slack) * 60);
  });

  test("there are no more than MaxWorkers, not even for a moment", () =>
    expect(course.mostWorkers).toBeLessThanOrEqual(policyOf(scenario).maxWorkers));
});

test.each(READINGS.filter(({ name }) => name !== UNEVEN))(
  "$name: the number of workers rises once and falls once (a rise holds back falls: $scaleOutHoldsBack)",
  ({ scenario, scaleOutHoldsBack }) => expect(courseOf(scenario, { scaleOutHoldsBack }).turns).toBe(1),
);

test("with an uneven load, the number falls at most once in a cooldown", () => {
  const scenario = named(UNEVEN);
  const { rules } = policyOf(scenario);
  const cooldown = rules.find(({ name }) => name === "ScaleToBacklog")!.cooldownSeconds;
  const { changes } = courseOf(scenario);
  const falls = changes.filter(({ workers }, index) => workers > 0 && workers < (changes[index - 1]?.workers ?? 0));
  const pauses = falls.slice(1).map(({ at }, index) => at - falls[index]!.at);
  expect(pauses.length).toBeGreaterThan(5);
  expect(Math.min(...pauses)).toBeGreaterThanOrEqual(cooldown);
});

test("an image that never starts is paid for until its jobs are a day old, and no longer", () => {
  const { forgotten, machineSeconds, changes, emptyAt } = courseOf(named(NEVER_STARTS));
  const hours = (machineSeconds / 3600).toFixed(0);
  expect({ forgotten, hours, workers: changes.map(({ workers }) => workers) }).toEqual({
    forgotten: 2,
    hours: String(2 * 24),
    workers: [2, 0],
  });
  expect(emptyAt).toBeDefined();
});

test.each(["ScaleToBacklog", "ScaleToIdle"])(
  "if the alarm of %s is a minute behind, that costs two minutes at most",
  (name) => {
    for (const scenario of SCENARIOS.filter((each) => each.name !== NEVER_STARTS)) {
      const [usual, skewed] = [courseOf(scenario), courseOf(scenario, { behind: { [name]: 1 } })];
      expect(skewed, scenario.name).toMatchObject({ done: usual.done, dead: usual.dead, interrupted: 0 });
      expect(skewed.firstResultAt! - usual.firstResultAt!, scenario.name).toBeLessThanOrEqual(120);
      expect(skewed.emptyAt! - usual.emptyAt!, scenario.name).toBeLessThanOrEqual(180);
    }
  },
);

test("a lost machine's job is done by another one within the visibility timeout and a start", () => {
  const scenario = named("Spot");
  const { visibilitySeconds } = policyOf(scenario);
  const undisturbed = courseOf(scenario, { losses: [] });
  const { lastResultAt } = courseOf(scenario);
  expect(lastResultAt! - undisturbed.lastResultAt!).toBeGreaterThan(0);
  expect(lastResultAt! - undisturbed.lastResultAt!).toBeLessThanOrEqual(2 * (visibilitySeconds + 300 + 60));
});

describe("the simulation tells a worse policy", () => {
  test("workers that do not protect themselves are interrupted", () => {
    expect(courseOf(named("outlasts"), { protects: false }).interrupted).toBeGreaterThan(0);
  });

  test("if running jobs did not count, a busy worker would not be wanted", () => {
    const scenario = named("outlasts");
    const policy = policyWith(" + FILL(inflight, 0)", "", scenario);
    const { changes, lastResultAt } = courseOf(scenario, {}, policy);
    expect(wantedAt(changes, lastResultAt!)).toBe(0);
  });

  test("if jobs just taken did not count, short ones would come to no worker again and again", () => {
    const scenario = named("5 s each minute");
    const policy = policyWith(" + FILL(taken, 0)", "", scenario);
    expect(courseOf(scenario, {}, policy).turns).toBeGreaterThan(5);
  });

  test("if nobody kept the metrics awake, a night's first job would wait for 15 minutes more", () => {
    const scenario = named("night");
    const policy = { ...policyOf(scenario), keepAwakeSeconds: undefined };
    const late = courseOf(scenario, {}, policy).firstResultAt! - courseOf(scenario).firstResultAt!;
    expect(late).toBeGreaterThanOrEqual(14 * 60);
  });

  test("without a cooldown an uneven load would have more turns", () => {
    const scenario = named(UNEVEN);
    const policy = policyWith("Cooldown: 600", "Cooldown: 0", scenario);
    expect(courseOf(scenario, {}, policy).turns).toBeGreaterThan(1.5 * courseOf(scenario).turns);
  });

  test("one more worker a minute, instead of the number wanted, is not taken for the same", () => {
    const scenario = named("one job");
    expect(() => policyWith("AdjustmentType: ExactCapacity", "AdjustmentType: ChangeInCapacity", scenario)).toThrow(
      "exact capacity",
    );
  });
});
