/** Whether a request's pictures are drawn with A1111's own noise and noise levels, and what it cannot have otherwise. */
import type { Catalogue } from "../../../runtime/comfyui/catalogue.ts";
import { EndpointError } from "../../../runtime/errors.ts";
import { isScaledLinear, UNREAD_CHECKPOINT } from "../../../workflows/model-family.ts";
import type { Models } from "../../../workflows/models.ts";
import { hasSamplingNodes } from "../../../workflows/own-nodes.ts";
import type { ScheduleOptions } from "../../../workflows/sdapi-schedule.ts";
import type { Options } from "./options.ts";
import type { SdapiRequest } from "./parse.ts";

/** Why ComfyUI's own nodes draw; undefined where ours do, as A1111 would. */
export function whyInexact(catalogue: Catalogue, { checkpoint, kind = UNREAD_CHECKPOINT }: Models): string | undefined {
  if (!hasSamplingNodes(catalogue)) return "this ComfyUI lacks comfy-endpoint's own nodes, which it takes";
  return isScaledLinear(kind)
    ? undefined
    : `'${checkpoint}' has noise levels of its own, with which it is not available`;
}

/** What a request says of noise levels: 0 stands for the model's and the scheduler's own. */
export function scheduleOptions({ options }: SdapiRequest, { kind = UNREAD_CHECKPOINT }: Models): ScheduleOptions {
  return {
    ...(options.sigma_min && { sigmaMin: options.sigma_min }),
    ...(options.sigma_max && { sigmaMax: options.sigma_max }),
    ...(options.rho && { rho: options.rho }),
    ...(options.beta_dist_alpha !== undefined && { betaAlpha: options.beta_dist_alpha }),
    ...(options.beta_dist_beta !== undefined && { betaBeta: options.beta_dist_beta }),
    discardsPenultimate: options.always_discard_next_to_last_sigma ?? false,
    ...(options.img2img_extra_noise && { extraNoise: options.img2img_extra_noise }),
    addsVariance: options.sgm_noise_multiplier ?? false,
    isSdxl: kind.family === "sdxl" || kind.family === "sdxlRefiner",
  };
}

type Values = readonly Options[keyof Options][];

/** What ComfyUI's own nodes do. */
const INEXACT: Readonly<Partial<Record<keyof Options, Values>>> = {
  // A1111's default is what the machine has, which is what ComfyUI has too.
  randn_source: ["GPU", "CPU"],
  sigma_min: [0],
  sigma_max: [0],
  rho: [0],
  beta_dist_alpha: [0.6],
  beta_dist_beta: [0.6],
  always_discard_next_to_last_sigma: [false],
  eta_noise_seed_delta: [0],
  img2img_extra_noise: [0],
  s_churn: [0],
  s_tmin: [0],
  s_tmax: [0],
  s_noise: [1],
};

/** @throws EndpointError `unsupported_feature` for an option of the request that ComfyUI's own nodes cannot honour. */
export function refuseInexact(request: SdapiRequest, reason: string): void {
  for (const [name, values] of Object.entries(INEXACT)) {
    const value = request.options[name as keyof Options];
    if (value !== undefined && !values.includes(value)) refuseOption(request, name, reason);
  }
}

/** An option that was set on the worker holds for requests that know nothing of it: those are told. */
export function refuseOption({ fields, notes }: SdapiRequest, name: string, reason: string): void {
  if (Object.hasOwn(fields.override_settings ?? {}, name)) notes.refuse(notHere(`override_settings.${name}`, reason));
  else notes.add(`the option ${name}, set on this worker: ${reason}; it is ignored`);
}

export const notHere = (field: string, reason: string): EndpointError =>
  new EndpointError("unsupported_feature", `${field}: ${reason}; leave it out`, { details: { field } });
