/** A1111's samplers and schedulers, and what stands for them in ComfyUI. Names and flags: A1111 v1.10.1, modules/sd_samplers*.py, sd_schedulers.py. */

export interface SdapiSampler {
  name: string;
  aliases: readonly string[];
  /** The scheduler that `Automatic` means; A1111's default where there is none is Uniform. */
  automatic?: string;
  /** ComfyUI's sampler; absent where none does the same: only our own node runs it. */
  comfyui?: string;
  /** ComfyUI's scheduler under `Automatic`, where it differs from that of the scheduler's name. */
  automaticComfyui?: string;
  /** CFG++ samplers of ComfyUI take a twelfth and a half of A1111's scale. */
  cfgDivisor?: number;
  modelSampling?: "lcm";
  /** Second-order samplers call the model twice a step: at its end, in the middle of its logarithm, or halfway down an ancestral step. */
  secondCall?: "next" | "middle" | "down";
  /** For samplers that add noise as they go: ComfyUI's node that takes `eta` and `s_noise`; `none` where there is no such node. */
  noise?: NoiseNode | "none";
  /** A1111's `eta` where the request has none: 0 for DDIM, else 1. */
  defaultEta?: number;
  /** How our own node runs it as A1111 does. */
  exact?: ExactSampler;
  /** One step more is computed, and the last but one left out. */
  discardsPenultimate?: boolean;
  /** Whether A1111 names `eta_noise_seed_delta` in its infotexts. */
  usesSeedDelta?: boolean;
}

export interface NoiseNode {
  classType: string;
  inputs?: Record<string, unknown>;
}

export interface ExactSampler {
  /** k-diffusion's function, or one of ours, if it is not ComfyUI's name of the sampler. */
  function?: string;
  /** Which noise levels it gets: of a schedule, of A1111's lists of times, of UniPC's times, or only the two ends. */
  levels: "schedule" | "timesteps" | "unipc" | "ends";
  /** What it draws as it goes; `own` from the picture's generator. */
  noise?: "own" | "brownian";
  solver?: "heun";
  takesEta?: true;
  takesNoiseFactor?: true;
  takesChurn?: true;
}

const SDE: ExactSampler = { levels: "schedule", noise: "brownian", takesEta: true, takesNoiseFactor: true };
const ANCESTRAL: ExactSampler = { levels: "schedule", noise: "own", takesEta: true };
const CHURNED: ExactSampler = { levels: "schedule", noise: "own", takesNoiseFactor: true, takesChurn: true };

/** In A1111's order. */
export const SDAPI_SAMPLERS: readonly SdapiSampler[] = [
  {
    name: "DPM++ 2M",
    aliases: ["k_dpmpp_2m"],
    automatic: "karras",
    comfyui: "dpmpp_2m",
    exact: { levels: "schedule" },
  },
  {
    name: "DPM++ SDE",
    aliases: ["k_dpmpp_sde"],
    automatic: "karras",
    comfyui: "dpmpp_sde_gpu",
    secondCall: "middle",
    noise: { classType: "SamplerDPMPP_SDE", inputs: { r: 0.5, noise_device: "gpu" } },
    exact: { ...SDE, function: "dpmpp_sde" },
  },
  {
    name: "DPM++ 2M SDE",
    aliases: ["k_dpmpp_2m_sde"],
    automatic: "exponential",
    comfyui: "dpmpp_2m_sde_gpu",
    noise: { classType: "SamplerDPMPP_2M_SDE", inputs: { solver_type: "midpoint", noise_device: "gpu" } },
    exact: { ...SDE, function: "dpmpp_2m_sde" },
  },
  {
    name: "DPM++ 2M SDE Heun",
    aliases: ["k_dpmpp_2m_sde_heun"],
    automatic: "exponential",
    comfyui: "dpmpp_2m_sde_heun_gpu",
    noise: { classType: "SamplerDPMPP_2M_SDE", inputs: { solver_type: "heun", noise_device: "gpu" } },
    exact: { ...SDE, function: "dpmpp_2m_sde", solver: "heun" },
  },
  {
    name: "DPM++ 2S a",
    aliases: ["k_dpmpp_2s_a"],
    automatic: "karras",
    comfyui: "dpmpp_2s_ancestral",
    secondCall: "down",
    noise: { classType: "SamplerDPMPP_2S_Ancestral" },
    exact: { ...ANCESTRAL, takesNoiseFactor: true },
    usesSeedDelta: true,
  },
  {
    name: "DPM++ 3M SDE",
    aliases: ["k_dpmpp_3m_sde"],
    automatic: "exponential",
    comfyui: "dpmpp_3m_sde_gpu",
    noise: { classType: "SamplerDPMPP_3M_SDE", inputs: { noise_device: "gpu" } },
    exact: { ...SDE, function: "dpmpp_3m_sde" },
    discardsPenultimate: true,
  },
  {
    name: "Euler a",
    aliases: ["k_euler_a", "k_euler_ancestral"],
    comfyui: "euler_ancestral",
    noise: { classType: "SamplerEulerAncestral" },
    exact: ANCESTRAL,
    usesSeedDelta: true,
  },
  { name: "Euler", aliases: ["k_euler"], comfyui: "euler", exact: CHURNED },
  { name: "LMS", aliases: ["k_lms"], comfyui: "lms", exact: { levels: "schedule" } },
  { name: "Heun", aliases: ["k_heun"], comfyui: "heun", secondCall: "next", exact: CHURNED },
  {
    name: "DPM2",
    aliases: ["k_dpm_2"],
    automatic: "karras",
    comfyui: "dpm_2",
    secondCall: "middle",
    exact: CHURNED,
    discardsPenultimate: true,
  },
  {
    name: "DPM2 a",
    aliases: ["k_dpm_2_a"],
    automatic: "karras",
    comfyui: "dpm_2_ancestral",
    secondCall: "down",
    noise: "none",
    exact: { ...ANCESTRAL, takesNoiseFactor: true },
    discardsPenultimate: true,
    usesSeedDelta: true,
  },
  {
    name: "DPM fast",
    aliases: ["k_dpm_fast"],
    comfyui: "dpm_fast",
    noise: "none",
    exact: { ...ANCESTRAL, levels: "ends", takesNoiseFactor: true },
    usesSeedDelta: true,
  },
  {
    name: "DPM adaptive",
    aliases: ["k_dpm_ad"],
    comfyui: "dpm_adaptive",
    noise: "none",
    exact: { ...ANCESTRAL, levels: "ends" },
    usesSeedDelta: true,
  },
  {
    name: "Restart",
    aliases: ["restart"],
    automatic: "karras",
    secondCall: "next",
    exact: { levels: "schedule", noise: "own", function: "restart" },
  },
  {
    name: "DDIM",
    aliases: ["ddim"],
    comfyui: "ddim",
    automaticComfyui: "ddim_uniform",
    defaultEta: 0,
    noise: { classType: "SamplerEulerAncestral" },
    // The same arithmetic as Euler a.
    exact: { ...ANCESTRAL, levels: "timesteps", function: "euler_ancestral" },
  },
  {
    name: "DDIM CFG++",
    aliases: ["ddim_cfgpp"],
    comfyui: "euler_cfg_pp",
    automaticComfyui: "ddim_uniform",
    cfgDivisor: 12.5,
    defaultEta: 0,
    noise: "none",
    exact: { ...ANCESTRAL, levels: "timesteps", function: "euler_ancestral_cfg_pp" },
  },
  { name: "PLMS", aliases: ["plms"], exact: { levels: "timesteps", function: "plms" } },
  { name: "UniPC", aliases: ["unipc"], comfyui: "uni_pc", exact: { levels: "unipc" } },
  {
    name: "LCM",
    aliases: ["k_lcm"],
    comfyui: "lcm",
    automaticComfyui: "sgm_uniform",
    modelSampling: "lcm",
    exact: { levels: "schedule", noise: "own" },
  },
];

export interface SdapiScheduler {
  name: string;
  label: string;
  aliases: readonly string[];
  /** ComfyUI's scheduler; absent where KSampler has none that does the same. */
  comfyui?: string;
}

/** In A1111's order. */
export const SDAPI_SCHEDULERS: readonly SdapiScheduler[] = [
  { name: "automatic", label: "Automatic", aliases: [], comfyui: "normal" },
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
