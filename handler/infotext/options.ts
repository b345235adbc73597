/** A1111's options by the labels that infotexts have for them (v1.10.1, `infotext` of every option), with their defaults. */
import type { ParsedInfotext } from "./parse.ts";

type OptionValue = string | number | boolean;

const OPTIONS: Record<string, readonly [option: string, fallback: OptionValue]> = {
  "Old prompt editing timelines": ["use_old_scheduling", false],
  "Downcast alphas_cumprod": ["use_downcasted_alpha_bar", false],
  "Refiner switch by sampling steps": ["refiner_switch_by_sample_steps", false],
  NGMS: ["s_min_uncond", 0],
  "NGMS all steps": ["s_min_uncond_all", false],
  "Token merging ratio": ["token_merging_ratio", 0],
  "Token merging ratio hr": ["token_merging_ratio_hr", 0],
  "Pad conds": ["pad_cond_uncond", false],
  "Pad conds v0": ["pad_cond_uncond_v0", false],
  "Eta DDIM": ["eta_ddim", 0],
  Eta: ["eta_ancestral", 1],
  "Sigma churn": ["s_churn", 0],
  "Sigma tmin": ["s_tmin", 0],
  "Sigma tmax": ["s_tmax", 0],
  "Sigma noise": ["s_noise", 1],
  "Schedule min sigma": ["sigma_min", 0],
  "Schedule max sigma": ["sigma_max", 0],
  "Schedule rho": ["rho", 0],
  ENSD: ["eta_noise_seed_delta", 0],
  "Discard penultimate sigma": ["always_discard_next_to_last_sigma", false],
  "SGM noise multiplier": ["sgm_noise_multiplier", false],
  "UniPC variant": ["uni_pc_variant", "bh1"],
  "UniPC skip type": ["uni_pc_skip_type", "time_uniform"],
  "UniPC order": ["uni_pc_order", 3],
  "UniPC lower order final": ["uni_pc_lower_order_final", true],
  "Noise Schedule": ["sd_noise_schedule", "Default"],
  "Skip Early CFG": ["skip_early_cond", 0],
  "Beta scheduler alpha": ["beta_dist_alpha", 0.6],
  "Beta scheduler beta": ["beta_dist_beta", 0.6],
  Emphasis: ["emphasis", "Original"],
  "Clip skip": ["CLIP_stop_at_last_layers", 1],
  RNG: ["randn_source", "GPU"],
  Tiling: ["tiling", false],
  "Hires refiner": ["hires_fix_refiner_pass", "second pass"],
  VAE: ["sd_vae", "Automatic"],
  "VAE Encoder": ["sd_vae_encode_method", "Full"],
  "VAE Decoder": ["sd_vae_decode_method", "Full"],
  "Conditional mask weight": ["inpainting_mask_weight", 1],
  "Noise multiplier": ["initial_noise_multiplier", 1],
  "Extra noise": ["img2img_extra_noise", 0],
  "Face restoration": ["face_restoration", false],
  "Hypertile U-Net": ["hypertile_enable_unet", false],
  "Hypertile U-Net second pass": ["hypertile_enable_unet_secondpass", false],
  "Hypertile U-Net max depth": ["hypertile_max_depth_unet", 3],
  "Hypertile U-Net max tile size": ["hypertile_max_tile_unet", 256],
  "Hypertile U-Net swap size": ["hypertile_swap_size_unet", 3],
  "Hypertile VAE": ["hypertile_enable_vae", false],
  "Hypertile VAE max depth": ["hypertile_max_depth_vae", 3],
  "Hypertile VAE max tile size": ["hypertile_max_tile_vae", 128],
  "Hypertile VAE swap size": ["hypertile_swap_size_vae", 3],
};

/** The options that a picture was made with, where they are not A1111's defaults. The model is none of them: A1111 ignores it here. */
export function optionsOf(parameters: ParsedInfotext): Record<string, OptionValue> {
  const set = Object.entries(OPTIONS).flatMap(([label, [option, fallback]]) => {
    const text = parameters[label];
    const value = text === undefined ? fallback : cast(text, fallback);
    return value === fallback ? [] : [[option, value] as const];
  });
  return Object.fromEntries(set);
}

/** To the type of the option's default, by Python's rules. */
function cast(value: OptionValue | readonly string[], fallback: OptionValue): OptionValue {
  if (typeof fallback === "boolean") return value !== "False" && Boolean(value);
  if (typeof fallback === "number") return Number.isNaN(Number(value)) ? String(value) : Number(value);
  return String(value);
}
