/** A1111 requests whose graphs differ in shape. Names of models are those of the recorded engine and of the tiny models. */
import { quickTxt2Img } from "./payloads.ts";

const hires = (overrides: Record<string, unknown>) => ({ enable_hr: true, denoising_strength: 0.5, ...overrides });

const BODIES: Record<string, Record<string, unknown>> = {
  "weights, escapes, comments": {
    prompt: "((best)), [worse], \\(solo\\) (x:1.3) # note",
    negative_prompt: "(bad:1.4)",
  },
  BREAK: { prompt: "red BREAK blue BREAK green", negative_prompt: "a BREAK b" },
  schedule: { prompt: "a [cat:dog:0.5] [sitting::2]", steps: 10, sampler_name: "DPM++ 2M", negative_prompt: "[x:0.3]" },
  alternation: { prompt: "[cat|dog]", steps: 4 },
  composition: { prompt: "a hill AND a castle :0.5 AND nothing:0", cfg_scale: 8 },
  "LoRA and embedding": { prompt: "fox <lora:tiny-lora:0.6:0.8>, tiny-embedding", negative_prompt: "<lora:kept:1>" },
  "networks off": { prompt: "fox <lora:tiny-lora:0.6>", disable_extra_networks: true },
  "LoRA field": { loras: [{ name: "tiny-lora.safetensors", strength_model: 0.8, strength_clip: 0.7 }] },
  "clip skip and VAE": { override_settings: { CLIP_stop_at_last_layers: 2, sd_vae: "tiny-vae" } },
  "clip skip field": { clip_skip: 3 },
  eta: { sampler_name: "Euler a", eta: 0.5, s_noise: 1.02 },
  "eta of DDIM": { sampler_name: "DDIM", eta: 1 },
  "eta of DPM++ 2M SDE Heun": { sampler_name: "DPM++ 2M SDE Heun", eta: 0.2 },
  LCM: { sampler_name: "LCM", cfg_scale: 1.5 },
  DDIM: { sampler_name: "DDIM", steps: 4 },
  "DDIM CFG++": { sampler_name: "DDIM CFG++", steps: 4 },
  UniPC: { sampler_name: "UniPC", steps: 4 },
  "DPM fast": { sampler_name: "DPM fast", steps: 4 },
  "DPM adaptive": { sampler_name: "DPM adaptive", steps: 4 },
  "batch in one": { batch_size: 2, n_iter: 2, override_settings: { batch_latents: true } },
  "hires latent": hires({ hr_scale: 1.5, batch_size: 2 }),
  "hires latent, cut": hires({ width: 128, hr_resize_x: 100, hr_resize_y: 100, hr_upscaler: "Latent (nearest-exact)" }),
  "hires Lanczos": hires({ hr_upscaler: "Lanczos", hr_second_pass_steps: 2, denoising_strength: 0.35 }),
  "hires smaller": hires({ width: 128, height: 128, hr_scale: 0.5, hr_upscaler: "tiny-2x" }),
  "hires by model": hires({ hr_upscaler: "tiny-2x", hr_scale: 4 }),
  "hires without a second pass": hires({ denoising_strength: 0 }),
  "hires with its own prompt and sampler": hires({
    prompt: "small <lora:tiny-lora:1>",
    hr_prompt: "large [a:b:1.5]",
    hr_negative_prompt: "low",
    hr_sampler_name: "DPM++ SDE",
    hr_scheduler: "Use same scheduler",
  }),
  "hires with eta": hires({ sampler_name: "Euler a", eta: 0.5 }),
};

/** These need a second checkpoint. */
const WITH_REFINER: Record<string, Record<string, unknown>> = {
  refiner: { refiner_checkpoint: "refiner", refiner_switch_at: 0.8, steps: 10, sampler_name: "DPM++ 2M" },
  "refiner from the start": { refiner_checkpoint: "refiner" },
  "refiner never": { refiner_checkpoint: "refiner", refiner_switch_at: 1 },
  "refiner with eta": { refiner_checkpoint: "refiner", refiner_switch_at: 0.5, sampler_name: "Euler a", eta: 0.5 },
  "refiner of hires fix": hires({ refiner_checkpoint: "refiner", refiner_switch_at: 0.7, steps: 8 }),
  "refiner in both passes": hires({
    refiner_checkpoint: "refiner",
    refiner_switch_at: 0.7,
    steps: 8,
    override_settings: { hires_fix_refiner_pass: "both passes" },
  }),
  "hires with its own checkpoint": hires({ hr_checkpoint_name: "refiner", hr_upscaler: "Nearest" }),
};

/** These need an engine with our own nodes. */
const EXACT: Record<string, Record<string, unknown>> = {
  variation: { subseed: 7, subseed_strength: 0.3, batch_size: 2 },
  "seed resize": { seed_resize_from_w: 128, seed_resize_from_h: 96 },
  "noise as a card draws it": { override_settings: { randn_source: "NV" } },
  "noise of later steps": { sampler_name: "Euler a", override_settings: { eta_noise_seed_delta: 31337 } },
  "range of sigmas": { scheduler: "Karras", override_settings: { sigma_min: 0.1, sigma_max: 10, rho: 5 } },
  discard: { override_settings: { always_discard_next_to_last_sigma: true } },
  "Align Your Steps": { scheduler: "Align Your Steps" },
  "beta distribution": { scheduler: "Beta", override_settings: { beta_dist_alpha: 0.5 } },
  churn: { s_churn: 5, s_tmax: 10, s_noise: 1.02 },
  "eta of DPM2 a": { sampler_name: "DPM2 a", eta: 0.5 },
  PLMS: { sampler_name: "PLMS" },
  Restart: { sampler_name: "Restart" },
  "Restart that goes back": { sampler_name: "Restart", steps: 20 },
};

const quick = (bodies: Record<string, Record<string, unknown>>) =>
  Object.fromEntries(Object.entries(bodies).map(([name, body]) => [name, quickTxt2Img(body)]));

export const REFINER = "refiner.safetensors";
/** Those that an engine with one checkpoint can run. */
export const ONE_CHECKPOINT_SHAPES = quick(BODIES);
export const TWO_CHECKPOINT_SHAPES = quick(WITH_REFINER);
export const EXACT_SHAPES = quick(EXACT);
