/** One pass of sampling: which steps it runs, and at which noise levels it calls the model. */
import { EndpointError } from "../runtime/errors.ts";
import { callSigmas } from "./model-calls.ts";
import { stepTimes } from "./noise-schedule.ts";
import type { ResolvedSampler } from "./sampler-names.ts";
import { type ScheduleOptions, scheduledSigmas, timesteps, uniPcSigma } from "./sdapi-schedule.ts";
import { LCM_TABLE, SD_TABLE, timeOf } from "./sigma-table.ts";

export interface SamplingPass {
  sampler: ResolvedSampler;
  /** Noise levels of the steps that are run and, last, where they end; fewer than two: none is run. */
  sigmas: readonly number[];
  /** Steps that are run, as A1111 counts them. */
  steps: number;
  /** What ComfyUI's core samplers need to run the same steps. */
  core: CoreSteps;
  /** The noise level to which A1111's timestep samplers noise a latent, which is not that of their first step. */
  noisedAt?: number;
  /** Factor for its noise; 1 if there is none. */
  noiseFactor?: number;
}

export interface CoreSteps {
  /** Of the whole schedule, of which the pass may run the end only. */
  scheduleSteps: number;
  /** Steps of the schedule that are left out at its beginning. */
  skipped: number;
  /** Share of the noise range, 0 to 1. */
  denoise: number;
}

/** A1111 draws nothing from pure noise when it starts from a picture. */
const MAX_STRENGTH = 0.999;

/** A noise level beside which a picture is nothing. */
const NOISE_ALONE = 1e9;

/** Of nothing but noise. */
export function firstPass(sampler: ResolvedSampler, steps: number): SamplingPass {
  const core = { scheduleSteps: steps, skipped: 0, denoise: 1 };
  if (sampler.exact === undefined) return { sampler, steps, core, sigmas: coreSigmas(sampler, steps) };
  return { sampler, steps, core, ...exactWhole(sampler, steps) };
}

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
  if (isFixedSteps) return secondPass(sampler, steps, strength);
  const run = Math.trunc(Math.min(strength, MAX_STRENGTH) * steps) + 1;
  // ComfyUI takes the schedule's length from the quotient, rounded down.
  return tail(sampler, steps, run, run >= steps ? 1 : run / (steps + 0.5));
}

/** The second pass of hires fix: always `steps` steps, the end of a schedule that is as much longer as less noise is added; none for a strength of 0. */
export function secondPass(sampler: ResolvedSampler, steps: number, strength: number): SamplingPass {
  const denoise = Math.min(strength, MAX_STRENGTH);
  if (denoise === 0) return { sampler, sigmas: [], steps: 0, core: { scheduleSteps: 0, skipped: 0, denoise } };
  return tail(sampler, Math.trunc(steps / denoise), steps, denoise);
}

function tail(sampler: ResolvedSampler, scheduleSteps: number, steps: number, denoise: number): SamplingPass {
  if (sampler.exact !== undefined) {
    const core = { scheduleSteps, skipped: scheduleSteps - steps, denoise };
    const levels = exactTail(sampler, core, steps);
    return { sampler, steps, core, ...levels, ...withExtraNoise(levels, sampler.exact.schedule) };
  }
  const sigmas = coreSigmas(sampler, scheduleSteps);
  // A few schedulers give other numbers of steps than they are asked for; ComfyUI counts from the end.
  const skipped = denoise === 1 ? 0 : Math.max(0, sigmas.length - 1 - steps);
  return { sampler, steps, core: { scheduleSteps, skipped, denoise }, sigmas: sigmas.slice(skipped) };
}

const coreSigmas = ({ sampler, scheduler }: ResolvedSampler, steps: number) => [
  ...stepTimes(sampler, scheduler, steps).map((time) => SD_TABLE.sigmaAt(time)),
  0,
];

type Levels = Pick<SamplingPass, "sigmas" | "noisedAt" | "noiseFactor">;

const MIN_UNI_PC_STEPS = 3;

function exactWhole(sampler: ResolvedSampler, steps: number): Levels {
  const { levels, schedule } = sampler.exact!;
  if (levels === "schedule" || levels === "ends") {
    const sigmas = levels === "schedule" ? exactSigmas(sampler, steps) : spreadOut(SD_TABLE.max, SD_TABLE.min, steps);
    return { sigmas, ...(schedule.addsVariance && { noiseFactor: Math.hypot(1, sigmas[0]!) / sigmas[0]! }) };
  }
  const times = timesteps(schedule.discardsPenultimate ? steps + 1 : steps);
  const noisedAt = NOISE_ALONE;
  if (levels === "timesteps") return { sigmas: timestepSigmas(times), noisedAt };
  return { sigmas: uniPcSigmas(SD_TABLE.last, times.length), noisedAt };
}

function exactTail(sampler: ResolvedSampler, { scheduleSteps, skipped }: CoreSteps, steps: number): Levels {
  const { levels, schedule } = sampler.exact!;
  if (levels === "schedule" || levels === "ends") {
    const sigmas = exactSigmas(sampler, scheduleSteps).slice(skipped);
    return { sigmas: levels === "schedule" ? sigmas : spreadOut(sigmas[0]!, sigmas.at(-2)!, sigmas.length - 1) };
  }
  const encoded = steps - 1;
  const times = timesteps(schedule.discardsPenultimate ? scheduleSteps + 1 : scheduleSteps);
  const noisedAt = SD_TABLE.sigmas[times[encoded]!]!;
  const run = times.slice(0, encoded);
  if (levels === "timesteps") return { sigmas: run.length > 0 ? timestepSigmas(run) : [noisedAt], noisedAt };
  return { sigmas: uniPcSigmas(run.at(-1) ?? 0, encoded), noisedAt };
}

/** A1111 v1.10.1, modules/sd_samplers_kdiffusion.py and sd_samplers_timesteps.py, sample_img2img: the same noise is laid on once more. */
function withExtraNoise({ sigmas, noisedAt }: Levels, { extraNoise }: ScheduleOptions): Pick<Levels, "noiseFactor"> {
  return extraNoise === undefined ? {} : { noiseFactor: 1 + extraNoise / (noisedAt ?? sigmas[0]!) };
}

function exactSigmas({ scheduler, exact, modelSampling }: ResolvedSampler, steps: number): number[] {
  return scheduledSigmas(scheduler, steps, exact!.schedule, modelSampling === "lcm" ? LCM_TABLE : SD_TABLE);
}

/** Only the two ends and the number count. */
const spreadOut = (from: number, to: number, steps: number): number[] =>
  Array.from({ length: steps + 1 }, (_, index) => from * (to / from) ** (index / steps));

const timestepSigmas = (times: readonly number[]) => times.map((time) => SD_TABLE.sigmas[time]!).reverse();

/** @throws EndpointError `invalid_request` for too few steps, which A1111's UniPC does not draw either. */
function uniPcSigmas(from: number, steps: number): number[] {
  if (steps < MIN_UNI_PC_STEPS)
    throw new EndpointError("invalid_request", `steps: UniPC runs ${MIN_UNI_PC_STEPS} steps or more, not ${steps}`, {
      details: { field: "steps" },
    });
  return Array.from({ length: steps + 1 }, (_, index) => uniPcSigma(from * (1 - index / steps)));
}

/** Calls that A1111 counts for the steps of a pass: second-order samplers count double. */
export const countedCalls = (sampler: ResolvedSampler, steps: number): number =>
  sampler.secondCall === undefined ? steps : steps * 2;

/** Model times of the pass's calls. Rounded, so that calls at one noise level are at one time. */
export const timesOfCalls = ({ sampler, sigmas }: SamplingPass): number[] =>
  callSigmas(sampler, sigmas).map((sigma) => Number(timeOf(sigma).toFixed(TIME_DECIMALS)));

const TIME_DECIMALS = 4;
