/** What A1111's `info` and infotexts tell of noise and noise levels, by its names and in its order. */
import type { ResolvedSampler } from "../../workflows/sampler-names.ts";
import { DEFAULT_BETA } from "../../workflows/sdapi-schedule.ts";
import { PythonFloat } from "../infotext/python.ts";
import type { Parameters } from "../infotext/write.ts";
import type { Common } from "../request/sdapi/common.ts";
import type { Options } from "../request/sdapi/options.ts";
import type { SdapiRequest } from "../request/sdapi/parse.ts";
import { isResized } from "../request/sdapi/seeds.ts";

/** These draw by time steps, not by sigmas, and leave their schedule out. */
const BY_TIME_STEPS = new Set(["DDIM", "DDIM CFG++", "PLMS", "UniPC"]);
const WITH_RHO = new Set(["Karras", "Polyexponential"]);

/**
 * What A1111 has among its extra parameters. ComfyUI's core samplers scale noise as A1111 does with `sgm_noise_multiplier`.
 * @param isFromPicture whether a pass starts from one: that of img2img, or the second of hires fix.
 */
export function samplingParameters(
  request: SdapiRequest,
  sampler: ResolvedSampler,
  isFromPicture: boolean,
): Parameters {
  const { schedulerLabel, samplerName, eta, exact } = sampler;
  // ComfyUI's core samplers take none of them.
  const options: Options = exact === undefined ? {} : request.options;
  const isByTimes = BY_TIME_STEPS.has(samplerName);
  const isScheduled = schedulerLabel !== "Automatic" && !isByTimes;
  const etaLabel = samplerName.startsWith("DDIM") ? "Eta DDIM" : "Eta";
  const addsVariance = exact === undefined || (options.sgm_noise_multiplier === true && !isByTimes);
  return {
    ...(options.always_discard_next_to_last_sigma && !exact?.discardsAnyway && { "Discard penultimate sigma": true }),
    ...(isScheduled && {
      "Schedule type": schedulerLabel,
      ...(options.sigma_min && { "Schedule min sigma": options.sigma_min }),
      ...(options.sigma_max && { "Schedule max sigma": options.sigma_max }),
      ...(options.rho && WITH_RHO.has(schedulerLabel) && { "Schedule rho": options.rho }),
      ...(schedulerLabel === "Beta" && {
        "Beta schedule alpha": new PythonFloat(options.beta_dist_alpha ?? DEFAULT_BETA),
        "Beta schedule beta": new PythonFloat(options.beta_dist_beta ?? DEFAULT_BETA),
      }),
    }),
    ...(addsVariance && { "SGM noise multiplier": true }),
    ...(eta !== undefined && { [etaLabel]: eta }),
    ...(isFromPicture && options.img2img_extra_noise && { "Extra noise": options.img2img_extra_noise }),
    ...(exact?.takesChurn && {
      ...(options.s_churn && { "Sigma churn": options.s_churn }),
      ...(options.s_tmin && { "Sigma tmin": options.s_tmin }),
      ...(options.s_tmax && { "Sigma tmax": options.s_tmax }),
    }),
    ...(exact?.takesNoiseFactor &&
      options.s_noise !== undefined &&
      options.s_noise !== 1 && { "Sigma noise": options.s_noise }),
  };
}

/** Where a picture's noise is not its seed's alone. */
export function variationParameters({ subseeds, variation }: Common, index: number): Parameters {
  return {
    ...(variation.strength !== 0 && {
      "Variation seed": subseeds[index],
      "Variation seed strength": new PythonFloat(variation.strength),
    }),
    ...(isResized(variation) && {
      "Seed resize from": `${variation.resizeFrom.width}x${variation.resizeFrom.height}`,
    }),
  };
}

/** What draws the noise. That of an engine without our own nodes is what A1111 draws with `randn_source: CPU`. */
export function noiseSource(
  { options }: SdapiRequest,
  { sampler }: Common,
): { seedDelta: number | null; rng: string | null } {
  const isExact = sampler.exact !== undefined;
  const source = isExact ? (options.randn_source ?? "GPU") : "CPU";
  const seedDelta = isExact && sampler.usesSeedDelta ? options.eta_noise_seed_delta : undefined;
  return { seedDelta: seedDelta || null, rng: source === "GPU" ? null : source };
}
