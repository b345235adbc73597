/** One pass of sampling: which steps it runs, and where in the model's time it calls the model. */
import { stepTimes } from "./noise-schedule.ts";
import type { ResolvedSampler } from "./sampler-names.ts";

export interface SamplingPass {
  sampler: ResolvedSampler;
  /** Of the whole schedule, of which the pass may run the end only. */
  scheduleSteps: number;
  /** Steps that are run. */
  steps: number;
  /** Share of the noise range, 0 to 1, as ComfyUI's samplers take it. */
  denoise: number;
}

/** A1111 draws nothing from pure noise when it starts from a picture. */
const MAX_DENOISE = 0.999;

export const firstPass = (sampler: ResolvedSampler, steps: number): SamplingPass => ({
  sampler,
  scheduleSteps: steps,
  steps,
  denoise: 1,
});

/**
 * A pass that starts from a picture: the end of the schedule, as long as the strength is large; with fixed steps, as many steps as asked for
 * of a longer schedule. A1111 v1.10.1, modules/sd_samplers_common.py, setup_img2img_steps.
 */
export function img2imgPass(
  sampler: ResolvedSampler,
  steps: number,
  strength: number,
  isFixedSteps: boolean,
): SamplingPass {
  const share = Math.min(strength, MAX_DENOISE);
  const scheduleSteps = isFixedSteps ? (strength > 0 ? Math.trunc(steps / share) : 0) : steps;
  const run = isFixedSteps ? steps : Math.trunc(share * steps) + 1;
  // ComfyUI takes the schedule's length from the quotient, rounded down.
  const denoise = run >= scheduleSteps ? 1 : run / (scheduleSteps + 0.5);
  return { sampler, scheduleSteps, steps: run, denoise };
}

/** The second pass of hires fix: always `steps` steps, the end of a schedule that is as much longer as less noise is added; none for a strength of 0. */
export function secondPass(sampler: ResolvedSampler, steps: number, strength: number): SamplingPass {
  const denoise = Math.min(strength, MAX_DENOISE);
  if (denoise === 0) return { sampler, scheduleSteps: 0, steps: 0, denoise };
  return { sampler, scheduleSteps: Math.trunc(steps / denoise), steps, denoise };
}

/** Model times of the pass's steps. */
export function timesOfSteps(pass: SamplingPass): number[] {
  return pass.steps === 0 ? [] : timesOfSchedule(pass).slice(skippedSteps(pass));
}

/** Steps of the schedule that the pass leaves out at its beginning. */
export function skippedSteps(pass: SamplingPass): number {
  return pass.denoise === 1 ? 0 : Math.max(0, timesOfSchedule(pass).length - pass.steps);
}

const timesOfSchedule = ({ sampler, scheduleSteps }: SamplingPass) =>
  stepTimes(sampler.sampler, sampler.scheduler, scheduleSteps);

/** Calls that A1111 counts for the steps of a pass: second-order samplers count double. */
export const countedCalls = (sampler: ResolvedSampler, steps: number): number =>
  sampler.secondCall === undefined ? steps : steps * 2;

/** Model times of the pass's calls. The step to the picture itself has only one. */
export function timesOfCalls(pass: SamplingPass): number[] {
  const times = timesOfSteps(pass);
  const { secondCall } = pass.sampler;
  if (secondCall === undefined) return times;
  return times.flatMap((time, index) => {
    const next = times[index + 1];
    if (next === undefined) return [time];
    return [time, secondCall === "next" ? next : (time + next) / 2];
  });
}
