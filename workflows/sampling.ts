/** Sampler nodes for a pass, and for a pass that changes to a refiner. */
import type { Link } from "../runtime/comfyui/graph.ts";
import { exactInteger } from "../runtime/json.ts";
import type { GraphBuilder } from "./builder.ts";
import { type SamplingPass, skippedSteps } from "./sampling-pass.ts";

/** A model with the prompts that its own text encoder made. */
export interface Guidance {
  model: Link;
  positive: Link;
  negative: Link;
  cfg: number;
}

export interface Sampling {
  pass: SamplingPass;
  seed: bigint;
  latent: Link;
  base: Guidance;
  /** Takes over at a step of the pass, counted from 0. */
  refiner?: Guidance & { fromStep: number };
}

/** @returns the drawn latent. */
export function addSampling(builder: GraphBuilder, { pass, seed, latent, base, refiner }: Sampling): Link {
  if (refiner === undefined) return addWhole(builder, pass, seed, latent, base);
  if (refiner.fromStep === 0) return addWhole(builder, pass, seed, latent, refiner);
  const add = pass.sampler.noiseNode ? addSplitCustom : addSplit;
  return add(builder, { pass, seed, latent, base, refiner });
}

function addWhole(builder: GraphBuilder, pass: SamplingPass, seed: bigint, latent: Link, guidance: Guidance): Link {
  const { sampler, steps, denoise } = pass;
  const { model, positive, negative, cfg } = withModelSampling(builder, pass, guidance);
  if (sampler.noiseNode) {
    const inputs = { model, positive, negative, cfg, latent_image: latent, ...customNodes(builder, pass, model) };
    return builder.add("SamplerCustom", { ...inputs, add_noise: true, noise_seed: exactInteger(seed) })(0);
  }
  return builder.add("KSampler", {
    model,
    positive,
    negative,
    latent_image: latent,
    seed: exactInteger(seed),
    // With a denoise of 0 none are run, and ComfyUI wants a number nevertheless.
    steps: Math.max(1, steps),
    cfg,
    sampler_name: sampler.sampler,
    scheduler: sampler.scheduler,
    denoise,
  })(0);
}

type Split = Sampling & { refiner: Guidance & { fromStep: number } };

/** KSamplerAdvanced knows no denoise: it begins that much later in the longer schedule. */
function addSplit(builder: GraphBuilder, { pass, seed, latent, base, refiner }: Split): Link {
  const { sampler, scheduleSteps } = pass;
  const skipped = skippedSteps(pass);
  const common = {
    noise_seed: exactInteger(seed),
    steps: scheduleSteps,
    sampler_name: sampler.sampler,
    scheduler: sampler.scheduler,
  };
  const first = builder.add("KSamplerAdvanced", {
    ...withModelSampling(builder, pass, base),
    ...common,
    latent_image: latent,
    add_noise: "enable",
    start_at_step: skipped,
    end_at_step: skipped + refiner.fromStep,
    return_with_leftover_noise: "enable",
  });
  const { fromStep, ...guidance } = refiner;
  return builder.add("KSamplerAdvanced", {
    ...withModelSampling(builder, pass, guidance),
    ...common,
    latent_image: first(0),
    add_noise: "disable",
    start_at_step: skipped + fromStep,
    end_at_step: 10_000,
    return_with_leftover_noise: "disable",
  })(0);
}

function addSplitCustom(builder: GraphBuilder, { pass, seed, latent, base, refiner }: Split): Link {
  const { fromStep, ...second } = refiner;
  const guidance = withModelSampling(builder, pass, base);
  const { sampler, sigmas } = customNodes(builder, pass, guidance.model);
  const halves = builder.share("SplitSigmas", { sigmas, step: fromStep });
  const common = { sampler, noise_seed: exactInteger(seed) };
  const first = builder.add("SamplerCustom", {
    ...guidance,
    ...common,
    add_noise: true,
    sigmas: halves(0),
    latent_image: latent,
  });
  return builder.add("SamplerCustom", {
    ...withModelSampling(builder, pass, second),
    ...common,
    add_noise: false,
    sigmas: halves(1),
    latent_image: first(0),
  })(0);
}

function customNodes(builder: GraphBuilder, { sampler, steps, denoise }: SamplingPass, model: Link) {
  const { classType, inputs = {} } = sampler.noiseNode!;
  return {
    sampler: builder.share(classType, inputs)(0),
    sigmas: builder.share("BasicScheduler", {
      model,
      scheduler: sampler.scheduler,
      steps: Math.max(1, steps),
      denoise,
    })(0),
  };
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
