import { describe, expect, test } from "vitest";
import { LAST_TIME } from "../../../workflows/noise-schedule.ts";
import { type PlannedRange, planPrompt } from "../../../workflows/prompt-plan.ts";
import { refinerStep } from "../../../workflows/refiner.ts";
import { resolveSampler } from "../../../workflows/sampler-names.ts";
import { countedCalls, firstPass, secondPass, timesOfCalls, timesOfSteps } from "../../../workflows/sampling-pass.ts";
import recorded from "../../fixtures/sdapi/steps.json" with { type: "json" };

describe("second pass of hires fix: A1111's arithmetic", () => {
  test.each(recorded.setup as [number, number, ...number[]][])("%d steps at %d", (steps, strength, ...rest) => {
    const [scheduleSteps, encoded] = rest.slice(4);
    const pass = secondPass(resolveSampler("Euler", null), steps, strength);
    expect(pass.scheduleSteps).toBe(scheduleSteps);
    if (strength > 0) expect(pass.steps - 1).toBe(encoded);
  });
});

/** Where ComfyUI runs other steps than A1111, or not at times of its own. */
const OTHER_TIMES: Record<string, string> = {
  "DPM fast": "its calls go back and forth",
  "DPM++ 3M SDE": "ComfyUI does not drop the last but one",
  "DPM++ SDE": "its second call lies in the middle of the noise levels that remain",
  DPM2: "as DPM++ SDE",
  DDIM: "A1111 makes one call less, ComfyUI goes to time 1",
  "DDIM CFG++": "as DDIM",
  PLMS: "refused",
  Restart: "refused",
  UniPC: "its second pass counts otherwise",
  LCM: "ComfyUI's model sampling",
};
const OTHER_SCHEDULES = ["KL Optimal", "Beta", "Align Your Steps"];

interface Calls {
  route: string;
  sampler: string;
  scheduler?: string;
  request: { steps?: number; denoising_strength?: number; enable_hr?: boolean; hr_second_pass_steps?: number };
  t: number[];
}

describe("the model is called at A1111's times", () => {
  const cases = (recorded.model_calls as unknown as Calls[]).filter(
    ({ route, sampler, scheduler = "" }) =>
      route === "txt2img" && !(sampler in OTHER_TIMES) && !OTHER_SCHEDULES.includes(scheduler),
  );

  test.each(cases.map((it) => [JSON.stringify([it.sampler, it.scheduler, it.request]), it] as const))("%s", (_, it) => {
    const { sampler: name, scheduler = null, request, t } = it;
    const sampler = resolveSampler(name, scheduler);
    const steps = request.steps ?? 10;
    const first = timesOfCalls(firstPass(sampler, steps));
    const second = request.enable_hr
      ? timesOfCalls(secondPass(sampler, request.hr_second_pass_steps ?? steps, request.denoising_strength ?? 0))
      : [];
    const all = [...first, ...second];
    // Samplers with a second call at the end of a step may call for the picture itself once more.
    const expected = countedCalls(sampler, 1) === 2 ? t.filter((time, index) => !(time === 0 && t[index - 1]! < 1)) : t;
    const ours = countedCalls(sampler, 1) === 2 ? all.filter((time, index) => !(time < 1 && all[index - 1]! < 1)) : all;
    for (const [index, time] of ours.entries()) expect(time, `call ${index}`).toBeCloseTo(expected[index]!, 0);
  });
});

interface Prompted {
  prompt: string;
  sampler: string;
  route: string;
  steps: number;
  request: { enable_hr?: boolean; hr_second_pass_steps?: number; denoising_strength?: number };
  used: [text: string, calls: number][];
}

/** The texts that hold at a time, in the order of the ranges. */
const textsAt = (ranges: readonly PlannedRange[], time: number) => {
  const share = 1 - time / LAST_TIME;
  return ranges.filter(({ start, end }) => start <= share && share <= end).map(({ chunks }) => chunks.join());
};

describe("each call sees the text that A1111 uses", () => {
  const cases = (recorded.prompt_at_calls as unknown as Prompted[]).filter(
    ({ route, used }) => route === "txt2img" && typeof used[0]![0] === "string",
  );

  test.each(cases.map((it) => [JSON.stringify([it.prompt, it.sampler, it.request]), it] as const))("%s", (_, it) => {
    const { prompt, steps, request, used } = it;
    const sampler = resolveSampler(it.sampler, null);
    const embeddings: string[] = [];
    const field = "prompt";
    const refuse = (refusal: Error) => expect.unreachable(refusal.message);
    const passes = [{ pass: firstPass(sampler, steps), schedule: { steps: countedCalls(sampler, steps) } }];
    if (request.enable_hr) {
      const hiresSteps = request.hr_second_pass_steps!;
      const pass = secondPass(sampler, hiresSteps, request.denoising_strength!);
      const schedule = { steps: countedCalls(sampler, hiresSteps), callsBefore: countedCalls(sampler, steps) };
      passes.push({ pass, schedule });
    }
    const seen = passes.flatMap(({ pass, schedule }) => {
      const callTimes = timesOfCalls(pass);
      const ranges = planPrompt(prompt, { field, pass: schedule, callTimes, embeddings, refuse });
      return callTimes.map((time) => textsAt(ranges, time));
    });
    const expected = used.flatMap(([text, calls]) => Array<string>(calls).fill(text));
    for (const [call, text] of expected.entries()) {
      // Two calls at one time share the texts of both.
      expect(seen[call], `call ${call}`).toContain(text);
      if (it.sampler !== "Heun") expect(seen[call]).toHaveLength(1);
    }
  });
});

/** A1111 changes in the middle of a step of these; ComfyUI between steps. */
const stepsOf = (sampler: string, calls: number) => (sampler === "Heun" ? Math.ceil(calls / 2) : calls);

describe("the refiner takes over where A1111 changes", () => {
  type Refined = [
    steps: number,
    sampler: string,
    scheduler: string,
    at: number,
    used: [checkpoint: string, calls: number][],
  ];
  const cases = recorded.refiner as unknown as Refined[];

  test.each(cases.filter(([, , scheduler]) => !scheduler.includes("hires")))(
    "%d steps, %s, %s, at %d",
    (steps, name, scheduler, at, used) => {
      const bySteps = scheduler === "refiner_switch_by_sample_steps";
      const pass = firstPass(resolveSampler(name, bySteps ? null : scheduler), steps);
      const from = refinerStep(pass, { at, bySteps }) ?? Number.POSITIVE_INFINITY;
      const all = used.reduce((sum, [, calls]) => sum + calls, 0);
      const first = used[0]![1];
      // A1111's DDIM makes one call less than there are steps.
      expect(Math.min(from, stepsOf(name, all))).toBe(stepsOf(name, first));
    },
  );

  test("at once without a moment, and at once in a second pass that begins late", () => {
    const euler = resolveSampler("Euler", null);
    expect(refinerStep(firstPass(euler, 10), { at: null, bySteps: false })).toBe(0);
    expect(refinerStep(secondPass(euler, 10, 0.4), { at: 0.5, bySteps: false })).toBe(0);
    expect(timesOfSteps(secondPass(euler, 10, 0))).toEqual([]);
  });
});
