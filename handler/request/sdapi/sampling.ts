/** What a request says of noise and noise levels. */
import { randomInt } from "node:crypto";
import type { Catalogue } from "../../../runtime/comfyui/catalogue.ts";
import { EndpointError } from "../../../runtime/errors.ts";
import { hasSamplingNodes } from "../../../workflows/own-nodes.ts";
import type { ResolvedSampler, SamplerSettings } from "../../../workflows/sampler-names.ts";
import type { Noise, NoiseVariation } from "../../../workflows/sampling.ts";
import type { ScheduleOptions } from "../../../workflows/sdapi-schedule.ts";
import type { Img2ImgFields } from "./fields.ts";
import type { Options } from "./options.ts";
import type { SdapiRequest } from "./parse.ts";

/** A1111 draws random seeds from 0 to this. */
const MAX_RANDOM_SEED = 4_294_967_293;

export const samplerName = ({ fields }: SdapiRequest): string => fields.sampler_name || fields.sampler_index;

/**
 * How the sampler of this name runs: DDIM has an option of its own for what the others call eta; an option that is not A1111's default
 * wins over the field.
 * @throws EndpointError `unsupported_feature` for what an engine without our own nodes cannot do.
 */
export function samplerSettings(
  { fields, options }: SdapiRequest,
  name: string,
  catalogue: Catalogue,
): SamplerSettings {
  const etaOption = /^ddim/i.test(name) ? options.eta_ddim : options.eta_ancestral;
  const isExact = hasSamplingNodes(catalogue);
  if (!isExact) refuseWithoutNodes(options);
  return {
    eta: fields.eta ?? etaOption,
    sChurn: options.s_churn || (fields.s_churn ?? 0),
    sTmin: options.s_tmin || (fields.s_tmin ?? 0),
    sTmax: options.s_tmax || (fields.s_tmax ?? 0),
    sNoise: options.s_noise !== undefined && options.s_noise !== 1 ? options.s_noise : (fields.s_noise ?? 1),
    exact: isExact ? scheduleOptions(options) : undefined,
  };
}

/** 0 stands for the model's and the scheduler's own. */
function scheduleOptions(options: Options): ScheduleOptions {
  return {
    ...(options.sigma_min && { sigmaMin: options.sigma_min }),
    ...(options.sigma_max && { sigmaMax: options.sigma_max }),
    ...(options.rho && { rho: options.rho }),
    ...(options.beta_dist_alpha !== undefined && { betaAlpha: options.beta_dist_alpha }),
    ...(options.beta_dist_beta !== undefined && { betaBeta: options.beta_dist_beta }),
    discardsPenultimate: options.always_discard_next_to_last_sigma ?? false,
    addsVariance: options.sgm_noise_multiplier ?? false,
  };
}

/** A1111's defaults of what only our own nodes can do otherwise. */
const WITHOUT_NODES: Partial<Options> = {
  sigma_min: 0,
  sigma_max: 0,
  rho: 0,
  beta_dist_alpha: 0.6,
  beta_dist_beta: 0.6,
  always_discard_next_to_last_sigma: false,
  eta_noise_seed_delta: 0,
};

function refuseWithoutNodes(options: Options): void {
  for (const [name, fallback] of Object.entries(WITHOUT_NODES)) {
    const value = options[name as keyof Options];
    if (value !== undefined && value !== fallback) throw notHere(`override_settings.${name}`);
  }
  if (options.randn_source === "NV") throw notHere("override_settings.randn_source");
}

const notHere = (field: string) =>
  new EndpointError(
    "unsupported_feature",
    `${field}: this ComfyUI lacks comfy-endpoint's own nodes, which it takes; leave it out`,
    { details: { field } },
  );

export interface Seeds {
  /** One per picture, as A1111's `info` tells them. */
  seeds: readonly bigint[];
  subseeds: readonly bigint[];
  /** One per sampling. */
  noises: readonly Noise[];
}

/**
 * A1111 counts up the seeds, or with variations the subseeds only.
 * @throws EndpointError `unsupported_feature` for what an engine without our own nodes cannot do.
 */
export function readSeeds(request: SdapiRequest, pictures: number, sampler: ResolvedSampler): Seeds {
  const { fields, options } = request;
  const isVaried = fields.subseed_strength !== 0;
  const isExact = sampler.exact !== undefined;
  const isResized = fields.seed_resize_from_w > 0 && fields.seed_resize_from_h > 0;
  if (!isExact && isVaried) throw notHere("subseed_strength");
  const multiplier = noiseMultiplier(request);
  if (!isExact && isResized) throw notHere("seed_resize_from_w");
  if (!isExact && multiplier !== 1) throw notHere("initial_noise_multiplier");
  // Pictures of img2img are drawn alone: each has a beginning of its own.
  const batch = options.batch_latents && !("init_images" in fields) ? fields.batch_size : 1;
  const first = drawn(fields.seed);
  const firstSubseed = drawn(fields.subseed);
  const count = (from: bigint, step: (index: number) => number) =>
    Array.from({ length: pictures }, (_, index) => BigInt.asUintN(64, from + BigInt(step(index))));
  // Core samplers draw the noise of a whole batch from its first seed.
  const step = (index: number) => (isVaried ? 0 : isExact ? index : index - (index % batch));
  const seeds = count(first, step);
  const subseeds = count(firstSubseed, (index) => index);
  const noises = Array.from({ length: Math.ceil(pictures / batch) }, (_, index): Noise => {
    const [from, to] = [index * batch, (index + 1) * batch];
    return {
      seeds: seeds.slice(from, to),
      source: options.randn_source === "CPU" ? "CPU" : "NV",
      seedDelta: BigInt(options.eta_noise_seed_delta ?? 0),
      multiplier,
      ...((isVaried || isResized) && { variation: variationOf(request, subseeds.slice(from, to), isResized) }),
    };
  });
  return { seeds, subseeds, noises };
}

/** What A1111's img2img multiplies its noise by; 1 for txt2img. */
export function noiseMultiplier({ fields, options }: SdapiRequest): number {
  if (!("init_images" in fields)) return 1;
  return (fields as Img2ImgFields).initial_noise_multiplier ?? options.initial_noise_multiplier ?? 1;
}

const drawn = (given: bigint | number): bigint => (given >= 0 ? BigInt(given) : BigInt(randomInt(MAX_RANDOM_SEED + 1)));

const variationOf = ({ fields }: SdapiRequest, subseeds: readonly bigint[], isResized: boolean): NoiseVariation => ({
  subseeds,
  strength: fields.subseed_strength,
  fromWidth: isResized ? fields.seed_resize_from_w : 0,
  fromHeight: isResized ? fields.seed_resize_from_h : 0,
});
