import { describe, expect, test } from "vitest";
import { betaQuantile } from "../../../workflows/beta-distribution.ts";
import { resolveSampler } from "../../../workflows/sampler-names.ts";
import { firstPass } from "../../../workflows/sampling-pass.ts";
import { SDAPI_SCHEDULERS } from "../../../workflows/sdapi-samplers.ts";
import { scheduledSigmas, timesteps } from "../../../workflows/sdapi-schedule.ts";
import { SD_TABLE, timeOf } from "../../../workflows/sigma-table.ts";
import recorded from "../../fixtures/sdapi/sigmas.json" with { type: "json" };

/** Recorded from 32 bit floats, and rounded to six digits. */
function expectSigmas(ours: readonly number[], wanted: readonly number[]): void {
  expect(ours).toHaveLength(wanted.length);
  for (const [index, sigma] of wanted.entries())
    expect(Math.abs(ours[index]! - sigma), `sigma ${index}`).toBeLessThan(1e-6 + 1e-5 * sigma);
}

test("the table, and times of noise levels", () => {
  expectSigmas(SD_TABLE.sigmas, recorded.sigma_table);
  for (const [sigma, time] of recorded.sigma_to_t) expect(timeOf(sigma!), `${sigma}`).toBeCloseTo(time!, 2);
});

describe("A1111's schedules", () => {
  // The recording's stand-in for an SDXL model was none by A1111's own test (`is_sdxl`): its levels are those of SD 1.
  test.each(recorded.schedules)("$scheduler, $n steps, $family", ({ scheduler, n, sigmas }) => {
    expectSigmas(scheduledSigmas(scheduler, n), sigmas);
  });

  test("all of them are recorded", () => {
    const names = new Set(["automatic", ...recorded.schedules.map(({ scheduler }) => scheduler)]);
    expect([...names].toSorted()).toEqual(SDAPI_SCHEDULERS.map(({ name }) => name).toSorted());
  });

  test("Align Your Steps has levels of its own for SDXL", () => {
    const sdxl = scheduledSigmas("align_your_steps", 11, { isSdxl: true });
    expect(sdxl).toEqual([14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.38, 0.234, 0.113, 0.029, 0]);
  });

  test.each(recorded.custom)("$scheduler with $args", ({ scheduler, n, args, sigmas }) => {
    const { sigma_min, sigma_max, rho, alpha, beta } = args as Record<string, number | undefined>;
    const options = Object.entries({ sigmaMin: sigma_min, sigmaMax: sigma_max, rho, betaAlpha: alpha, betaBeta: beta });
    const given = Object.fromEntries(options.filter(([, value]) => value !== undefined));
    expectSigmas(scheduledSigmas(scheduler, n, given), sigmas);
  });

  test.each(recorded.sampler_sigmas)(
    "$sampler with $scheduler, always discarding: $always_discard_next_to_last_sigma",
    ({ sampler, scheduler, always_discard_next_to_last_sigma: discardsPenultimate, steps, sigmas }) => {
      const resolved = resolveSampler(sampler, scheduler, { exact: { discardsPenultimate } });
      expectSigmas(firstPass(resolved, steps).sigmas, sigmas);
    },
  );
});

test.each(recorded.ddim_timesteps as [number, number, number[]][])(
  "times of the timestep samplers: %d steps",
  (steps, count, values) => {
    const times = timesteps(steps);
    expect(times).toHaveLength(count);
    expect(steps > 30 ? [...times.slice(0, 3), ...times.slice(-3)] : times).toEqual(values);
  },
);

test("quantiles of the beta distribution", () => {
  // scipy.stats.beta.ppf
  expect(betaQuantile(0.75, 0.6, 0.6)).toBeCloseTo(0.82431962, 8);
  expect(betaQuantile(0.25, 0.6, 0.6)).toBeCloseTo(1 - 0.82431962, 8);
  expect(betaQuantile(0.3, 1, 1)).toBeCloseTo(0.3, 12);
  expect([betaQuantile(0, 0.5, 2), betaQuantile(1, 0.5, 2)]).toEqual([0, 1]);
});
