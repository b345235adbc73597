/** When A1111 changes to the refiner: A1111 v1.10.1, modules/sd_samplers_common.py apply_refiner. */
import type { SamplingPass } from "./sampling-pass.ts";
import { LAST_TIME, nearestTime, timeOf } from "./sigma-table.ts";

export interface RefinerSwitch {
  /** Share of the way; null: at once. */
  at: number | null;
  /** A share of the steps, instead of the model's time. */
  bySteps: boolean;
}

/** The first step of the pass, from 0, that the refiner draws; undefined if it is never reached. A1111 may change in the middle of a step of two calls, too. */
export function refinerStep(pass: SamplingPass, { at, bySteps }: RefinerSwitch): number | undefined {
  if (at === null) return 0;
  const isByTimes = pass.sampler.exact?.levels === "unipc";
  const timeAt = (sigma: number) => (isByTimes ? Math.floor(timeOf(sigma)) : nearestTime(sigma));
  const completed = pass.sigmas
    .slice(0, -1)
    .map((sigma, step) => (bySteps ? step / pass.steps : (LAST_TIME - timeAt(sigma)) / (LAST_TIME + 1)));
  const first = completed.findIndex((share) => share >= at);
  return first < 0 ? undefined : first;
}
