/** When A1111 changes to the refiner: A1111 v1.10.1, modules/sd_samplers_common.py apply_refiner. */
import { LAST_TIME, nearestTime } from "./noise-schedule.ts";
import { type SamplingPass, timesOfSteps } from "./sampling-pass.ts";

export interface RefinerSwitch {
  /** Share of the way; null: at once. */
  at: number | null;
  /** A share of the steps, instead of the model's time. */
  bySteps: boolean;
}

/** The first step of the pass, from 0, that the refiner draws; undefined if it is never reached. */
export function refinerStep(pass: SamplingPass, { at, bySteps }: RefinerSwitch): number | undefined {
  if (at === null) return 0;
  const times = timesOfSteps(pass);
  const completed = times.map((time, step) =>
    bySteps ? step / times.length : (LAST_TIME - nearestTime(time)) / (LAST_TIME + 1),
  );
  const first = completed.findIndex((share) => share >= at);
  return first < 0 ? undefined : first;
}
