import fc from "fast-check";
import { expect, test } from "vitest";
import { scheduleOf } from "../../../workflows/prompt-schedule.ts";
import recorded from "../../fixtures/sdapi/prompt-schedule.json" with { type: "json" };

type Schedule = [until: number, text: string][];

const variants = recorded.variants.map((variant, index) => ({ ...variant, index }));

const run = (prompt: string, { base_steps, hires_steps, use_old_scheduling }: (typeof variants)[number]): Schedule =>
  scheduleOf(prompt, {
    steps: use_old_scheduling ? base_steps : (hires_steps ?? base_steps),
    isOldTiming: use_old_scheduling,
    ...(hires_steps !== null && { callsBefore: base_steps }),
  }).map(({ until, text }) => [until, text]);

test.each(recorded.cases as unknown as [string, (Schedule | number)[]][])("%j", (prompt, results) => {
  for (const variant of variants) {
    const result = results[variant.index]!;
    expect(run(prompt, variant)).toEqual(typeof result === "number" ? results[result] : result);
  }
});

test.each(recorded.unstable as unknown as [string, [Schedule, number][]][])(
  "%j is one of the results that A1111 gives",
  (prompt, results) => {
    expect(results.map(([result]) => result)).toContainEqual(run(prompt, variants[0]!));
  },
);

test("any text has a schedule that ends with the last step, in time", () => {
  const piece = fc.constantFrom("(", ")", "[", "]", ":", "\\", "0.5", " ", "|", "a", "\n", "3");
  const prompt = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(piece, { maxLength: 60 }).map((all) => all.join("")),
  );
  fc.assert(
    fc.property(prompt, fc.integer({ min: 1, max: 30 }), (text, steps) => {
      expect(scheduleOf(text, { steps }).at(-1)?.until).toBe(steps);
    }),
  );
  for (const bracket of ["[", "(", "[(", "[a:", "[a|"]) {
    expect(scheduleOf(bracket.repeat(20_000), { steps: 5 })).toHaveLength(1);
    expect(scheduleOf(bracket.repeat(90), { steps: 5 })).toHaveLength(1);
  }
});
