import { describe, expect, test } from "vitest";
import { stepTimes } from "../../../workflows/noise-schedule.ts";
import { nearestTime, SD_TABLE, timeOf } from "../../../workflows/sigma-table.ts";
import recorded from "../../fixtures/sdapi/sigmas.json" with { type: "json" };

/** A1111's name to ComfyUI's, where both make the same list; KL Optimal and Beta differ, Align Your Steps is refused. */
const SAME: Record<string, string> = {
  uniform: "normal",
  normal: "normal",
  karras: "karras",
  exponential: "exponential",
  polyexponential: "exponential",
  sgm_uniform: "sgm_uniform",
  simple: "simple",
  ddim: "ddim_uniform",
};

test("times of noise levels", () => {
  for (const [sigma, time] of recorded.sigma_to_t) expect(timeOf(sigma!), `${sigma}`).toBeCloseTo(time!, 2);
  for (const [time, sigma] of recorded.sigma_table.entries()) expect(timeOf(sigma)).toBeCloseTo(time, 2);
});

describe("steps start at A1111's noise levels", () => {
  test.each(recorded.schedules.filter(({ scheduler, family }) => scheduler in SAME && family === "sd1"))(
    "$scheduler, $n steps",
    ({ scheduler, n, sigmas }) => {
      const expected = sigmas.slice(0, -1).map((sigma) => timeOf(sigma));
      const times = stepTimes("euler", SAME[scheduler]!, n);
      expect(times).toHaveLength(expected.length);
      for (const [index, time] of times.entries()) expect(time, `step ${index}`).toBeCloseTo(expected[index]!, 1);
    },
  );

  test.each(recorded.sampler_sigmas.filter(({ sampler, scheduler }) => sampler === "DPM2" && scheduler === "Karras"))(
    "$sampler drops the last but one: $steps steps",
    ({ steps, sigmas }) => {
      const times = stepTimes("dpm_2", "karras", steps);
      expect(times).toHaveLength(steps);
      for (const [index, time] of times.entries()) expect(time).toBeCloseTo(timeOf(sigmas[index]!), 1);
    },
  );
});

test("ComfyUI's beta and kl_optimal go from noise to picture", () => {
  for (const scheduler of ["beta", "kl_optimal", "unheard of"]) {
    const times = stepTimes("euler", scheduler, 20);
    expect(times[0]).toBeCloseTo(999, 0);
    expect(times).toEqual(times.toSorted((a, b) => b - a));
    expect(stepTimes("euler", scheduler, 1)).toHaveLength(1);
  }
  // scipy.stats.beta.ppf(0.75, 0.6, 0.6) is 0.82431962.
  expect(stepTimes("euler", "beta", 4)[1]).toBe(823);
});

test("the nearest entry of the table is the nearest noise level", () => {
  for (const [place, time] of [
    [500, 500],
    [500.4, 500],
    [500.6, 501],
  ] as const)
    expect(nearestTime(SD_TABLE.sigmaAt(place))).toBe(time);
});
