/**
 * Sampler nodes for a pass, and for a pass that changes to a refiner.
 *
 * With our own nodes (`exact`) the noise, the noise levels and what a sampler draws on its way are A1111's; the steps themselves are
 * those of ComfyUI's samplers. Without them ComfyUI's KSampler does it all: its noise is that of A1111's `randn_source: CPU` with
 * `sgm_noise_multiplier`, what its ancestral samplers draw is its own. Where the refiner takes over, samplers that look back at earlier
 * steps begin anew, which A1111's do not.
 */
import type { Link } from "../runtime/comfyui/graph.ts";
import { exactInteger } from "../runtime/json.ts";
import type { GraphBuilder } from "./builder.ts";
import type { SamplingPass } from "./sampling-pass.ts";

/** A model with the prompts that its own text encoder made. */
export interface Guidance {
  model: Link;
  positive: Link;
  negative: Link;
  cfg: number;
}

/** A1111's noise of a batch of latents. A core sampler takes the first seed and nothing else. */
export interface Noise {
  /** One per picture of the batch, 0 to 2^64-1. */
  seeds: readonly bigint[];
  variation?: NoiseVariation;
  source: "NV" | "CPU";
  /** A1111's `initial_noise_multiplier`; 1 if there is none. */
  multiplier?: number;
  /** A1111's `eta_noise_seed_delta`; 0 if there is none. */
  seedDelta?: bigint;
}

/** A1111's variations: noise between that of the seeds and that of others, and noise of another size. */
export interface NoiseVariation {
  subseeds: readonly bigint[];
  /** Share of the subseeds' noise, 0 to 1. */
  strength: number;
  /** In pixels; 0: not resized. */
  fromWidth: number;
  fromHeight: number;
}

export interface Sampling {
  pass: SamplingPass;
  noise: Noise;
  latent: Link;
  base: Guidance;
  /** Takes over at a step of the pass, counted from 0. */
  refiner?: Guidance & { fromStep: number };
}

/** @returns the drawn latent. */
export function addSampling(builder: GraphBuilder, { pass, noise, latent, base, refiner }: Sampling): Link {
  if (pass.core.scheduleSteps === 0) return latent;
  const add = pass.sampler.exact === undefined ? addCore : addExact;
  const end = pass.sigmas.length - 1;
  const whole = { pass, noise, latent, steps: [0, end] as const, isFirst: true };
  if (refiner === undefined) return add(builder, { ...whole, guidance: base, timing: base.model });
  const { fromStep, ...second } = refiner;
  if (fromStep === 0) return add(builder, { ...whole, guidance: second, timing: second.model });
  const first = add(builder, { ...whole, guidance: base, timing: base.model, steps: [0, fromStep] });
  const rest = { latent: first, steps: [fromStep, end] as const, isFirst: false };
  return add(builder, { ...whole, ...rest, guidance: second, timing: base.model });
}

interface Part {
  pass: SamplingPass;
  noise: Noise;
  latent: Link;
  guidance: Guidance;
  /** The model whose noise levels ComfyUI's schedulers take. */
  timing: Link;
  /** From and to which step of the pass. */
  steps: readonly [from: number, to: number];
  /** Otherwise the latent has its noise. */
  isFirst: boolean;
}

function addExact(builder: GraphBuilder, { pass, noise, latent, guidance, steps: [from, to], isFirst }: Part): Link {
  const { inputs } = pass.sampler.exact!;
  const noisedAt = isFirst ? pass.noisedAt : 0;
  const sigmas = pass.sigmas.slice(from, to + 1).map((sigma) => Number(sigma.toPrecision(SIGMA_DIGITS)));
  return builder.add("SamplerCustomAdvanced", {
    noise: addNoise(builder, noise, pass.noiseFactor ?? 1, isFirst ? undefined : from),
    guider: builder.share("CFGGuider", { ...withModelSampling(builder, pass, guidance) })(0),
    sampler: builder.share("ComfyEndpointSampler", {
      ...inputs,
      keeps_variance: pass.noisedAt !== undefined,
      noised_at: noisedAt ?? 0,
    })(0),
    sigmas: builder.share("ComfyEndpointSigmas", { sigmas: sigmas.join(", ") })(0),
    latent_image: latent,
  })(0);
}

/** Of a 32 bit float. */
const SIGMA_DIGITS = 9;

/** @param drawnBefore for a latent that has its noise: how often the sampler drew before. */
function addNoise(builder: GraphBuilder, noise: Noise, factor: number, drawnBefore: number | undefined): Link {
  const { seeds, variation, source, multiplier = 1, seedDelta = 0n } = noise;
  return builder.share("ComfyEndpointNoise", {
    seeds: seeds.join(", "),
    subseeds: variation?.strength ? variation.subseeds.join(", ") : "",
    subseed_strength: variation?.strength ?? 0,
    seed_resize_from_w: variation?.fromWidth ?? 0,
    seed_resize_from_h: variation?.fromHeight ?? 0,
    source,
    multiplier: drawnBefore === undefined ? multiplier * factor : 0,
    seed_delta: exactInteger(seedDelta),
    draws_before: drawnBefore ?? 0,
  })(0);
}

/** The noise of the seeds, without variations, of one standard deviation as the model's latents are scaled. A1111 puts it under a mask. */
export function addUnitNoise(
  builder: GraphBuilder,
  { sampler }: SamplingPass,
  { seeds, source }: Noise,
  { model, zeros }: { model: Link; zeros: Link },
): Link {
  const isExact = sampler.exact !== undefined;
  const noise = isExact
    ? addNoise(builder, { seeds, source }, 1, undefined)
    : builder.share("RandomNoise", { noise_seed: exactInteger(seeds[0]!) })(0);
  const sigmas = isExact
    ? builder.share("ComfyEndpointSigmas", { sigmas: "1" })(0)
    : // From 1 to 0 in one step: the noise is laid on as strong as the difference.
      builder.share("KarrasScheduler", { steps: 1, sigma_max: 1, sigma_min: 1, rho: 7 })(0);
  return builder.share("AddNoise", { model, noise, sigmas, latent_image: zeros })(0);
}

function addCore(builder: GraphBuilder, part: Part): Link {
  const { pass, noise, latent, guidance, steps, isFirst } = part;
  const { sampler, core } = pass;
  if (sampler.noiseNode !== undefined) return addCustom(builder, part);
  const seed = exactInteger(noise.seeds[0]!);
  const common = { ...withModelSampling(builder, pass, guidance), latent_image: latent };
  const names = { sampler_name: sampler.sampler, scheduler: sampler.scheduler };
  const isWhole = steps[0] === 0 && steps[1] === pass.sigmas.length - 1;
  if (isWhole)
    return builder.add("KSampler", { ...common, ...names, seed, steps: pass.steps, denoise: core.denoise })(0);
  const isLast = steps[1] === pass.sigmas.length - 1;
  return builder.add("KSamplerAdvanced", {
    ...common,
    noise_seed: seed,
    steps: core.scheduleSteps,
    ...names,
    add_noise: isFirst ? "enable" : "disable",
    start_at_step: core.skipped + steps[0],
    end_at_step: isLast ? END : core.skipped + steps[1],
    return_with_leftover_noise: isLast ? "disable" : "enable",
  })(0);
}

const END = 10_000;

/** By a node that takes `eta` and `s_noise`, and ComfyUI's noise levels. */
function addCustom(builder: GraphBuilder, { pass, noise, latent, guidance, timing, steps, isFirst }: Part): Link {
  const { sampler, core } = pass;
  const { classType, inputs = {} } = sampler.noiseNode!;
  const { scheduler } = sampler;
  const schedule = { model: timing, scheduler, steps: pass.steps, denoise: core.denoise };
  let sigmas = builder.share("BasicScheduler", schedule)(0);
  const [from, to] = steps;
  if (to < pass.sigmas.length - 1) sigmas = builder.share("SplitSigmas", { sigmas, step: to })(0);
  if (from > 0) sigmas = builder.share("SplitSigmas", { sigmas, step: from })(1);
  return builder.add("SamplerCustom", {
    ...withModelSampling(builder, pass, guidance),
    sampler: builder.share(classType, inputs)(0),
    sigmas,
    latent_image: latent,
    add_noise: isFirst,
    noise_seed: exactInteger(noise.seeds[0]!),
  })(0);
}

/** LCM models ask for a node of their own. */
function withModelSampling(builder: GraphBuilder, { sampler }: SamplingPass, guidance: Guidance): Guidance {
  if (sampler.modelSampling === undefined) return guidance;
  const { model } = guidance;
  return {
    ...guidance,
    model: builder.share("ModelSamplingDiscrete", { model, sampling: sampler.modelSampling, zsnr: false })(0),
  };
}
