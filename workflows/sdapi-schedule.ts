/**
 * A1111's noise levels: A1111 v1.10.1, modules/sd_schedulers.py, KDiffusionSampler.get_sigmas, and the lists of times of its
 * timestep samplers (modules/sd_samplers_timesteps.py). For the models of the scaled-linear table.
 */
import { betaQuantile } from "./beta-distribution.ts";
import { mix, SD_TABLE, type SigmaTable } from "./sigma-table.ts";

/** A1111's options for its schedulers, by what they do. */
export interface ScheduleOptions {
  /** Ends of the noise levels, for the schedulers that ask for them; absent: the model's. */
  sigmaMin?: number;
  sigmaMax?: number;
  /** Curve of Karras and Polyexponential; absent: their own. */
  rho?: number;
  /** Of the scheduler Beta. */
  betaAlpha?: number;
  betaBeta?: number;
  /** `always_discard_next_to_last_sigma`: one step more is computed, and the last but one left out. */
  discardsPenultimate?: boolean;
  /** `sgm_noise_multiplier`: the noise of a first pass is scaled as if there were a picture of variance 1 in it. */
  addsVariance?: boolean;
  /** `img2img_extra_noise`: a picture that is drawn from gets so much noise more than its noise level. */
  extraNoise?: number;
  /** Align Your Steps has other levels for SDXL. */
  isSdxl?: boolean;
}

export const DEFAULT_BETA = 0.6;

interface Range {
  min: number;
  max: number;
}

type Scheduler = (n: number, table: SigmaTable, range: Range, options: ScheduleOptions) => number[];

/** n points from the first to the last; a single one is the first. */
const spread = (n: number, at: (share: number) => number): number[] =>
  Array.from({ length: n }, (_, index) => at(n === 1 ? 0 : index / (n - 1)));

const evenly = (n: number, table: SigmaTable, from: number, to: number) =>
  spread(n, (share) => table.sigmaAt(mix(share, from, to)));

const uniform: Scheduler = (n, table) => [...evenly(n, table, table.last, 0), 0];

const normal: Scheduler = (n, table, { min, max }) => [...evenly(n, table, table.placeOf(max), table.placeOf(min)), 0];

const sgmUniform: Scheduler = (n, table, { min, max }) => [
  ...evenly(n + 1, table, table.placeOf(max), table.placeOf(min)).slice(0, -1),
  0,
];

/** n noise levels from the largest to the smallest; k-diffusion's get_sigmas_karras without its end. */
export const karrasLevels = (n: number, min: number, max: number, rho = 7): number[] =>
  spread(n, (share) => mix(share, max ** (1 / rho), min ** (1 / rho)) ** rho);

const karras: Scheduler = (n, _, { min, max }, { rho }) => [...karrasLevels(n, min, max, rho), 0];

const polyexponential: Scheduler = (n, _, { min, max }, { rho = 1 }) => [
  ...spread(n, (share) => Math.exp(mix((1 - share) ** rho, Math.log(min), Math.log(max)))),
  0,
];

/** The only one that ends above 0. */
const klOptimal: Scheduler = (n, _, { min, max }) =>
  Array.from({ length: n + 1 }, (_, index) => Math.tan(mix(index / n, Math.atan(max), Math.atan(min))));

const simple: Scheduler = (n, { sigmas }) => [
  ...Array.from({ length: n }, (_, index) => sigmas.at(-(1 + Math.floor((index * sigmas.length) / n)))!),
  0,
];

const ddim: Scheduler = (n, { sigmas }) => {
  const stride = Math.max(Math.floor(sigmas.length / n), 1);
  return [...sigmas.filter((_, index) => index % stride === 1 % stride && index > 0).reverse(), 0];
};

const beta: Scheduler = (n, _, { min, max }, { betaAlpha = DEFAULT_BETA, betaBeta = DEFAULT_BETA }) => [
  ...spread(n, (share) => mix(betaQuantile(1 - share, betaAlpha, betaBeta), min, max)),
  0,
];

/** NVIDIA's, for ten steps: https://research.nvidia.com/labs/toronto-ai/AlignYourSteps/howto.html */
const ALIGNED = {
  sd1: [14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029],
  sdxl: [14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.38, 0.234, 0.113, 0.029],
};

const alignYourSteps: Scheduler = (n, _, __, { isSdxl = false }) => {
  const levels = ALIGNED[isSdxl ? "sdxl" : "sd1"];
  if (n === levels.length) return [...levels, 0];
  // From the end, so that a single step is the lowest level, as in A1111.
  const place = (index: number) => (n === 1 ? levels.length - 1 : (1 - index / (n - 1)) * (levels.length - 1));
  const rising = Array.from({ length: n }, (_, index) => {
    const at = place(index);
    const low = Math.min(levels.length - 2, Math.floor(at));
    return Math.exp(mix(at - low, Math.log(levels[low]!), Math.log(levels[low + 1]!)));
  });
  return [...rising.reverse(), 0];
};

/** By A1111's names; `automatic` is what a sampler without a scheduler of its own has. */
const SCHEDULERS: Record<string, Scheduler> = {
  automatic: uniform,
  uniform,
  karras,
  // As Polyexponential, without its curve.
  exponential: (n, table, range) => polyexponential(n, table, range, {}),
  polyexponential,
  sgm_uniform: sgmUniform,
  kl_optimal: klOptimal,
  align_your_steps: alignYourSteps,
  simple,
  normal,
  ddim,
  beta,
};

/**
 * The noise levels of all steps, from the first to the end. Usually one more than `steps`; DDIM and Beta may have others.
 * @param scheduler A1111's name.
 */
export function scheduledSigmas(
  scheduler: string,
  steps: number,
  options: ScheduleOptions = {},
  table: SigmaTable = SD_TABLE,
): number[] {
  const { sigmaMin: min = table.min, sigmaMax: max = table.max, discardsPenultimate = false } = options;
  const schedule = SCHEDULERS[scheduler]!;
  if (!discardsPenultimate) return schedule(steps, table, { min, max }, options);
  return schedule(steps + 1, table, { min, max }, options).toSpliced(-2, 1);
}

/** Times of A1111's timestep samplers (DDIM, PLMS, UniPC), rising. */
export function timesteps(steps: number): number[] {
  const stride = Math.floor(SD_TABLE.sigmas.length / steps);
  return SD_TABLE.sigmas.flatMap((_, time) => (time % stride === 0 ? [Math.min(time + 1, SD_TABLE.last)] : []));
}

/** UniPC's noise level at a time: linear in the logarithm of the signal between two entries of the table. */
export function uniPcSigma(time: number): number {
  const logSignal = (entry: number) => -0.5 * Math.log1p(SD_TABLE.sigmas[entry]! ** 2);
  const low = Math.min(SD_TABLE.last - 1, Math.floor(time));
  return Math.sqrt(Math.expm1(-2 * mix(time - low, logSignal(low), logSignal(low + 1))));
}
