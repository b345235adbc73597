/**
 * Where in the model's time (999 is pure noise, 0 the picture) ComfyUI's schedulers put their steps.
 * For the scaled-linear table of SD1, SD2 and SDXL; formulas: ComfyUI's comfy/samplers.py, A1111's modules/sd_schedulers.py.
 */
import { betaQuantile } from "./beta-distribution.ts";
import { LAST_TIME, mix, SD_TABLE, timeOf } from "./sigma-table.ts";

/** ComfyUI computes one step more for these samplers, and drops the last but one. */
const DISCARDING = ["dpm_2", "dpm_2_ancestral", "uni_pc", "uni_pc_bh2"];

/** n points from the first to the last; a single one is the first. */
const spread = (n: number, at: (share: number) => number) =>
  Array.from({ length: n }, (_, index) => at(n === 1 ? 0 : index / (n - 1)));

const bySigma = (sigmaAt: (share: number) => number) => (n: number) => spread(n, (share) => timeOf(sigmaAt(share)));

function ddimTimes(n: number): number[] {
  const stride = Math.max(Math.floor((LAST_TIME + 1) / n), 1);
  const times: number[] = [];
  for (let time = 1; time <= LAST_TIME; time += stride) times.unshift(time);
  return times;
}

/** Of ComfyUI's beta distribution, and its beta. */
const ALPHA = 0.6;

/** By ComfyUI's scheduler: the times of the n steps' starts. */
const TIMES: Record<string, (n: number) => number[]> = {
  normal: (n) => spread(n, (share) => LAST_TIME * (1 - share)),
  karras: bySigma((share) => mix(share, SD_TABLE.max ** (1 / 7), SD_TABLE.min ** (1 / 7)) ** 7),
  exponential: bySigma((share) => Math.exp(mix(share, Math.log(SD_TABLE.max), Math.log(SD_TABLE.min)))),
  kl_optimal: bySigma((share) => Math.tan(mix(share, Math.atan(SD_TABLE.max), Math.atan(SD_TABLE.min)))),
  sgm_uniform: (n) => Array.from({ length: n }, (_, index) => LAST_TIME * (1 - index / n)),
  simple: (n) => Array.from({ length: n }, (_, index) => LAST_TIME - Math.floor((index * (LAST_TIME + 1)) / n)),
  ddim_uniform: ddimTimes,
  beta: (n) => [
    ...new Set(
      Array.from({ length: n }, (_, index) => Math.round(betaQuantile(1 - index / n, ALPHA, ALPHA) * LAST_TIME)),
    ),
  ],
};

/**
 * The times at which the steps of a sampler start, without the end at 0. A few schedulers give more or fewer than `steps`.
 * @param scheduler ComfyUI's name; `normal` stands in for one that is not in the table.
 */
export function stepTimes(sampler: string, scheduler: string, steps: number): number[] {
  const times = TIMES[scheduler] ?? TIMES["normal"]!;
  return DISCARDING.includes(sampler) ? times(steps + 1).slice(0, -1) : times(steps);
}
