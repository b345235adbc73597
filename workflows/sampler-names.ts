/** A1111's one sampler name, resolved to ComfyUI's sampler and scheduler. Names and rules: A1111 v1.10.1, modules/sd_samplers.py and sd_schedulers.py. */
import { EndpointError } from "../runtime/errors.ts";

export interface SdapiSampler {
  name: string;
  aliases: readonly string[];
  /** The scheduler that `Automatic` means; A1111's default where there is none is Uniform. */
  automatic?: string;
  /** ComfyUI's sampler; absent where no core node does the same. */
  comfyui?: string;
  /** ComfyUI's scheduler under `Automatic`, where it differs from that of the scheduler's name. */
  automaticComfyui?: string;
  /** CFG++ samplers of ComfyUI take a twelfth and a half of A1111's scale. */
  cfgDivisor?: number;
  modelSampling?: "lcm";
  /** Second-order samplers call the model twice a step: at the step's end, or in its middle. */
  secondCall?: "next" | "middle";
  /** For samplers that add noise as they go: the node that takes `eta` and `s_noise`; `none` where there is no such node. */
  noise?: NoiseNode | "none";
  /** A1111's `eta` where the request has none: 0 for DDIM, else 1. */
  defaultEta?: number;
}

interface NoiseNode {
  classType: string;
  inputs?: Record<string, unknown>;
}

/** In A1111's order. */
export const SDAPI_SAMPLERS: readonly SdapiSampler[] = [
  { name: "DPM++ 2M", aliases: ["k_dpmpp_2m"], automatic: "karras", comfyui: "dpmpp_2m" },
  {
    name: "DPM++ SDE",
    aliases: ["k_dpmpp_sde"],
    automatic: "karras",
    comfyui: "dpmpp_sde_gpu",
    secondCall: "middle",
    noise: { classType: "SamplerDPMPP_SDE", inputs: { r: 0.5, noise_device: "gpu" } },
  },
  {
    name: "DPM++ 2M SDE",
    aliases: ["k_dpmpp_2m_sde"],
    automatic: "exponential",
    comfyui: "dpmpp_2m_sde_gpu",
    noise: { classType: "SamplerDPMPP_2M_SDE", inputs: { solver_type: "midpoint", noise_device: "gpu" } },
  },
  {
    name: "DPM++ 2M SDE Heun",
    aliases: ["k_dpmpp_2m_sde_heun"],
    automatic: "exponential",
    comfyui: "dpmpp_2m_sde_heun_gpu",
    noise: { classType: "SamplerDPMPP_2M_SDE", inputs: { solver_type: "heun", noise_device: "gpu" } },
  },
  {
    name: "DPM++ 2S a",
    aliases: ["k_dpmpp_2s_a"],
    automatic: "karras",
    comfyui: "dpmpp_2s_ancestral",
    secondCall: "next",
    noise: { classType: "SamplerDPMPP_2S_Ancestral" },
  },
  {
    name: "DPM++ 3M SDE",
    aliases: ["k_dpmpp_3m_sde"],
    automatic: "exponential",
    comfyui: "dpmpp_3m_sde_gpu",
    noise: { classType: "SamplerDPMPP_3M_SDE", inputs: { noise_device: "gpu" } },
  },
  {
    name: "Euler a",
    aliases: ["k_euler_a", "k_euler_ancestral"],
    comfyui: "euler_ancestral",
    noise: { classType: "SamplerEulerAncestral" },
  },
  { name: "Euler", aliases: ["k_euler"], comfyui: "euler" },
  { name: "LMS", aliases: ["k_lms"], comfyui: "lms" },
  { name: "Heun", aliases: ["k_heun"], comfyui: "heun", secondCall: "next" },
  { name: "DPM2", aliases: ["k_dpm_2"], automatic: "karras", comfyui: "dpm_2", secondCall: "middle" },
  {
    name: "DPM2 a",
    aliases: ["k_dpm_2_a"],
    automatic: "karras",
    comfyui: "dpm_2_ancestral",
    secondCall: "next",
    noise: "none",
  },
  { name: "DPM fast", aliases: ["k_dpm_fast"], comfyui: "dpm_fast", noise: "none" },
  { name: "DPM adaptive", aliases: ["k_dpm_ad"], comfyui: "dpm_adaptive", noise: "none" },
  { name: "Restart", aliases: ["restart"], automatic: "karras" },
  {
    name: "DDIM",
    aliases: ["ddim"],
    comfyui: "ddim",
    automaticComfyui: "ddim_uniform",
    defaultEta: 0,
    noise: { classType: "SamplerEulerAncestral" },
  },
  {
    name: "DDIM CFG++",
    aliases: ["ddim_cfgpp"],
    comfyui: "euler_cfg_pp",
    automaticComfyui: "ddim_uniform",
    cfgDivisor: 12.5,
    defaultEta: 0,
    noise: "none",
  },
  { name: "PLMS", aliases: ["plms"] },
  { name: "UniPC", aliases: ["unipc"], comfyui: "uni_pc" },
  { name: "LCM", aliases: ["k_lcm"], comfyui: "lcm", automaticComfyui: "sgm_uniform", modelSampling: "lcm" },
];

export interface SdapiScheduler {
  name: string;
  label: string;
  aliases: readonly string[];
  /** ComfyUI's scheduler; absent where KSampler has none that does the same. */
  comfyui?: string;
}

const AUTOMATIC = "automatic";

/** In A1111's order. */
export const SDAPI_SCHEDULERS: readonly SdapiScheduler[] = [
  { name: AUTOMATIC, label: "Automatic", aliases: [], comfyui: "normal" },
  { name: "uniform", label: "Uniform", aliases: [], comfyui: "normal" },
  { name: "karras", label: "Karras", aliases: [], comfyui: "karras" },
  { name: "exponential", label: "Exponential", aliases: [], comfyui: "exponential" },
  { name: "polyexponential", label: "Polyexponential", aliases: [], comfyui: "exponential" },
  { name: "sgm_uniform", label: "SGM Uniform", aliases: ["SGMUniform"], comfyui: "sgm_uniform" },
  { name: "kl_optimal", label: "KL Optimal", aliases: [], comfyui: "kl_optimal" },
  { name: "align_your_steps", label: "Align Your Steps", aliases: [] },
  { name: "simple", label: "Simple", aliases: [], comfyui: "simple" },
  { name: "normal", label: "Normal", aliases: [], comfyui: "normal" },
  { name: "ddim", label: "DDIM", aliases: [], comfyui: "ddim_uniform" },
  { name: "beta", label: "Beta", aliases: [], comfyui: "beta" },
];

export interface ResolvedSampler {
  /** A1111's names, as its `info` shows them. */
  samplerName: string;
  schedulerLabel: string;
  sampler: string;
  scheduler: string;
  cfgDivisor: number;
  modelSampling?: "lcm";
  secondCall?: "next" | "middle";
  /** The node that stands in for the sampler where `eta` or `s_noise` is not the default. */
  noiseNode?: NoiseNode;
  /** What changes A1111's `info`: the value, if it is not the default. */
  eta?: number;
}

const isNamed = (wanted: string) => {
  const lower = wanted.toLowerCase();
  return (names: readonly string[]) => names.some((name) => name.toLowerCase() === lower);
};

const schedulerNames = ({ name, label, aliases }: SdapiScheduler) => [name, label, ...aliases];

/**
 * Resolves A1111's `sampler_name`/`sampler_index` and `scheduler`, the scheduler possibly being a suffix of the sampler
 * (`DPM++ 2M Karras`); no name is its first sampler. Unlike A1111 1.10, which takes another sampler for an unknown one, it refuses.
 * @throws EndpointError `unknown_sampler`, or `unsupported_feature` for names that A1111 has and ComfyUI's core has not.
 */
export function resolveSampler(
  samplerName: string,
  schedulerName: string | null,
  settings: NoiseSettings = {},
): ResolvedSampler {
  const { base, suffix } = splitScheduler(samplerName || SDAPI_SAMPLERS[0]!.name);
  const sampler = SDAPI_SAMPLERS.find(({ name, aliases }) => isNamed(base)([name, ...aliases]));
  if (!sampler)
    throw unknown(
      "sampler",
      samplerName,
      SDAPI_SAMPLERS.map(({ name }) => name),
    );

  const wanted = schedulerName || suffix || AUTOMATIC;
  const asked = SDAPI_SCHEDULERS.find((scheduler) => isNamed(wanted)(schedulerNames(scheduler)));
  if (!asked)
    throw unknown(
      "scheduler",
      wanted,
      SDAPI_SCHEDULERS.map(({ label }) => label),
    );
  const isAutomatic = asked.name === AUTOMATIC;
  const used = isAutomatic ? (SDAPI_SCHEDULERS.find(({ name }) => name === sampler.automatic) ?? asked) : asked;

  const comfyuiScheduler = (isAutomatic && sampler.automaticComfyui) || used.comfyui;
  if (sampler.comfyui === undefined) throw unsupported("sampler", sampler.name);
  if (comfyuiScheduler === undefined) throw unsupported("scheduler", used.label);
  return {
    samplerName: sampler.name,
    schedulerLabel: used.label,
    sampler: sampler.comfyui,
    scheduler: comfyuiScheduler,
    cfgDivisor: sampler.cfgDivisor ?? 1,
    ...(sampler.modelSampling && { modelSampling: sampler.modelSampling }),
    ...(sampler.secondCall && { secondCall: sampler.secondCall }),
    ...noiseOf(sampler, settings),
  };
}

export interface NoiseSettings {
  /** Share of fresh noise of an ancestral step; samplers without any take no notice. */
  eta?: number | undefined;
  /** Factor for that noise. */
  sNoise?: number | undefined;
}

/** DDIM with an eta is the same arithmetic as Euler a. */
function noiseOf(
  sampler: SdapiSampler,
  { eta, sNoise = 1 }: NoiseSettings,
): Pick<ResolvedSampler, "noiseNode" | "eta"> {
  const { noise, defaultEta = 1 } = sampler;
  const usedEta = eta ?? defaultEta;
  // A1111's DDIM has no s_noise.
  const usedNoise = defaultEta === 0 ? 1 : sNoise;
  if (noise === undefined || (usedEta === defaultEta && usedNoise === 1)) return {};
  if (noise === "none")
    throw new EndpointError(
      "unsupported_feature",
      `eta, s_noise: the sampler "${sampler.name}" takes only ${defaultEta} and 1 among ComfyUI's core nodes`,
      { details: { field: usedEta === defaultEta ? "s_noise" : "eta" } },
    );
  return {
    noiseNode: { classType: noise.classType, inputs: { ...noise.inputs, eta: usedEta, s_noise: usedNoise } },
    ...(usedEta !== defaultEta && { eta: usedEta }),
  };
}

/** Each scheduler is tried once, in A1111's order; the last that matched counts. */
export function splitScheduler(name: string): { base: string; suffix: string | undefined } {
  let base = name;
  let suffix: string | undefined;
  for (const scheduler of SDAPI_SCHEDULERS) {
    const match = schedulerNames(scheduler).find((label) => base.toLowerCase().endsWith(` ${label.toLowerCase()}`));
    if (match === undefined) continue;
    base = base.slice(0, -match.length - 1);
    suffix = scheduler.name;
  }
  return { base, suffix };
}

function unknown(kind: "sampler" | "scheduler", name: string, available: string[]): EndpointError {
  return new EndpointError("unknown_sampler", `no ${kind} is called "${name}"; there are: ${available.join(", ")}`, {
    details: { field: kind === "sampler" ? "sampler_name" : "scheduler", available },
  });
}

function unsupported(kind: "sampler" | "scheduler", name: string): EndpointError {
  return new EndpointError("unsupported_feature", `the ${kind} "${name}" has no equal among ComfyUI's core nodes`, {
    details: { field: kind === "sampler" ? "sampler_name" : "scheduler" },
  });
}
