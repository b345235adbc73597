/**
 * Where in the model's time (999 is pure noise, 0 the picture) ComfyUI's schedulers put their steps.
 * For the scaled-linear table of SD1, SD2 and SDXL; formulas: ComfyUI's comfy/samplers.py, A1111's modules/sd_schedulers.py.
 */

export const LAST_TIME = 999;

/** ComfyUI computes one step more for these samplers, and drops the last but one. */
const DISCARDING = ["dpm_2", "dpm_2_ancestral", "uni_pc", "uni_pc_bh2"];

/** Noise level of each of the thousand times. */
const SIGMAS = ((): number[] => {
  const [first, last] = [Math.sqrt(0.00085), Math.sqrt(0.012)];
  let signal = 1;
  return Array.from({ length: LAST_TIME + 1 }, (_, time) => {
    signal *= 1 - (first + (time / LAST_TIME) * (last - first)) ** 2;
    return Math.sqrt((1 - signal) / signal);
  });
})();
const SIGMA_MIN = SIGMAS[0]!;
const SIGMA_MAX = SIGMAS[LAST_TIME]!;

/** Linear in the logarithm of the noise level, as k-diffusion's. */
export function timeOf(sigma: number): number {
  const above = SIGMAS.findIndex((other) => other >= sigma);
  if (above < 0) return LAST_TIME;
  if (above === 0) return 0;
  const [low, high] = [Math.log(SIGMAS[above - 1]!), Math.log(SIGMAS[above]!)];
  return above - 1 + (Math.log(sigma) - low) / (high - low);
}

const mix = (share: number, from: number, to: number) => from + share * (to - from);

/** n points from the first to the last; a single one is the first. */
const spread = (n: number, at: (share: number) => number) =>
  Array.from({ length: n }, (_, index) => at(n === 1 ? 0 : index / (n - 1)));

const bySigma = (sigmaAt: (share: number) => number) => (n: number) => spread(n, (share) => timeOf(sigmaAt(share)));

/** Quantiles of the beta distribution with alpha = beta = 0.6, by its density over an angle: that has no poles. */
const BETA_QUANTILES = ((): number[] => {
  const points = 2000;
  const sums = [0];
  for (let index = 0; index < points; index++) {
    const angle = ((index + 0.5) / points) * (Math.PI / 2);
    sums.push(sums[index]! + (Math.sin(angle) * Math.cos(angle)) ** 0.2);
  }
  return sums.map((sum) => sum / sums[points]!);
})();

function betaQuantile(share: number): number {
  const above = Math.max(
    1,
    BETA_QUANTILES.findIndex((sum) => sum >= share),
  );
  const [low, high] = [BETA_QUANTILES[above - 1]!, BETA_QUANTILES[above]!];
  const angle = ((above - 1 + (share - low) / (high - low)) / (BETA_QUANTILES.length - 1)) * (Math.PI / 2);
  return Math.sin(angle) ** 2;
}

function ddimTimes(n: number): number[] {
  const stride = Math.max(Math.floor((LAST_TIME + 1) / n), 1);
  const times: number[] = [];
  for (let time = 1; time <= LAST_TIME; time += stride) times.unshift(time);
  return times;
}

/** By ComfyUI's scheduler: the times of the n steps' starts. */
const TIMES: Record<string, (n: number) => number[]> = {
  normal: (n) => spread(n, (share) => LAST_TIME * (1 - share)),
  karras: bySigma((share) => mix(share, SIGMA_MAX ** (1 / 7), SIGMA_MIN ** (1 / 7)) ** 7),
  exponential: bySigma((share) => Math.exp(mix(share, Math.log(SIGMA_MAX), Math.log(SIGMA_MIN)))),
  kl_optimal: bySigma((share) => Math.tan(mix(share, Math.atan(SIGMA_MAX), Math.atan(SIGMA_MIN)))),
  sgm_uniform: (n) => Array.from({ length: n }, (_, index) => LAST_TIME * (1 - index / n)),
  simple: (n) => Array.from({ length: n }, (_, index) => LAST_TIME - Math.floor((index * (LAST_TIME + 1)) / n)),
  ddim_uniform: ddimTimes,
  beta: (n) => [
    ...new Set(Array.from({ length: n }, (_, index) => Math.round(betaQuantile(1 - index / n) * LAST_TIME))),
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

/** The nearest entry of the table, as A1111 looks it up: nearest by noise level. */
export function nearestTime(time: number): number {
  const [low, high] = [Math.floor(time), Math.ceil(time)];
  const sigma = Math.exp(mix(time - low, Math.log(SIGMAS[low]!), Math.log(SIGMAS[high]!)));
  return sigma - SIGMAS[low]! <= SIGMAS[high]! - sigma ? low : high;
}
