/** What A1111 v1.10.1 says of its samplers, schedulers and latent upscalers beside their names. */

/** Shown as `options`, beside the default scheduler; text, as A1111 writes it. */
export const SAMPLER_OPTIONS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "DPM++ SDE": { second_order: "True", brownian_noise: "True" },
  "DPM++ 2M SDE": { brownian_noise: "True" },
  "DPM++ 2M SDE Heun": { brownian_noise: "True", solver_type: "heun" },
  "DPM++ 2S a": { uses_ensd: "True", second_order: "True" },
  "DPM++ 3M SDE": { discard_next_to_last_sigma: "True", brownian_noise: "True" },
  "Euler a": { uses_ensd: "True" },
  Heun: { second_order: "True" },
  DPM2: { discard_next_to_last_sigma: "True", second_order: "True" },
  "DPM2 a": { discard_next_to_last_sigma: "True", uses_ensd: "True", second_order: "True" },
  "DPM fast": { uses_ensd: "True" },
  "DPM adaptive": { uses_ensd: "True" },
  Restart: { second_order: "True" },
};

/** What differs from no rho and no need of the model; by name. */
export const SCHEDULER_DEFAULTS: Readonly<Record<string, { default_rho?: number; need_inner_model?: boolean }>> = {
  uniform: { need_inner_model: true },
  karras: { default_rho: 7 },
  polyexponential: { default_rho: 1 },
  sgm_uniform: { need_inner_model: true },
  simple: { need_inner_model: true },
  normal: { need_inner_model: true },
  ddim: { need_inner_model: true },
  beta: { need_inner_model: true },
};

export const LATENT_UPSCALE_MODES: readonly string[] = [
  "Latent",
  "Latent (antialiased)",
  "Latent (bicubic)",
  "Latent (bicubic antialiased)",
  "Latent (nearest)",
  "Latent (nearest-exact)",
];
