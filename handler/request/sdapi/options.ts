/** A1111's options that a request may set for itself (`override_settings`). */
import * as z from "zod";
import { EndpointError } from "../../../runtime/errors.ts";
import { fieldErrors } from "../field-errors.ts";
import { isPictureOption } from "./picture-options.ts";
import { boolean, float, integer, text } from "./values.ts";

const orDefault = <T extends z.ZodType>(schema: T) => z.preprocess((value) => value ?? undefined, schema.optional());

/** Options that are honoured. */
const honoured = z.object({
  sd_model_checkpoint: z.unknown().optional(),
  sd_vae: orDefault(text),
  CLIP_stop_at_last_layers: orDefault(integer(0, 24)),
  eta_ancestral: orDefault(float(0, 100)),
  eta_ddim: orDefault(float(0, 100)),
  enable_prompt_comments: orDefault(boolean),
  img2img_fix_steps: orDefault(boolean),
  refiner_switch_by_sample_steps: orDefault(boolean),
  hires_fix_refiner_pass: orDefault(z.enum(["first pass", "second pass", "both passes"])),
  use_old_hires_fix_width_height: orDefault(boolean),
  use_old_scheduling: orDefault(boolean),
});

export type Options = z.output<typeof honoured>;

/** Options that would change the picture and cannot be honoured, with A1111's default: that alone is accepted. */
const DEFAULTS: Record<string, unknown> = {
  always_discard_next_to_last_sigma: false,
  beta_dist_alpha: 0.6,
  beta_dist_beta: 0.6,
  comma_padding_backtrack: 20,
  emphasis: "Original",
  enable_batch_seeds: true,
  eta_noise_seed_delta: 0,
  extra_networks_default_multiplier: 1,
  face_restoration: false,
  fp8_storage: "Disable",
  hires_fix_use_firstpass_conds: false,
  pad_cond_uncond: false,
  pad_cond_uncond_v0: false,
  randn_source: "GPU",
  return_grid: true,
  rho: 0,
  s_churn: 0,
  s_min_uncond: 0,
  s_min_uncond_all: false,
  s_noise: 1,
  s_tmax: 0,
  s_tmin: 0,
  sd_hypernetwork: "None",
  sd_lora: "None",
  sd_noise_schedule: "Default",
  sd_unet: "Automatic",
  sd_vae_decode_method: "Full",
  sd_vae_encode_method: "Full",
  sdxl_clip_l_skip: false,
  sdxl_crop_left: 0,
  sdxl_crop_top: 0,
  sgm_noise_multiplier: false,
  sigma_max: 0,
  sigma_min: 0,
  skip_early_cond: 0,
  tiling: false,
  token_merging_ratio: 0,
  token_merging_ratio_hr: 0,
  uni_pc_lower_order_final: true,
  uni_pc_order: 3,
  uni_pc_skip_type: "time_uniform",
  uni_pc_variant: "bh1",
  use_downcasted_alpha_bar: false,
  use_old_emphasis_implementation: false,
  use_old_karras_scheduler_sigmas: false,
};

/** What says where and how A1111 keeps files, what only img2img uses, and what only its web page shows. */
const IRRELEVANT =
  /^(outdir_|save_|grid_|samples_save$|samples_filename|directories_|img2img_|inpainting_|initial_noise|overlay_inpaint$|upscaler_for_img2img$|return_mask|token_merging_ratio_img2img$|add_|face_restoration_model$|code_former_weight$|sd_checkpoint|sd_vae_(checkpoint|overrides)|live_preview|show_progress|interrogate_|deepbooru_|do_not_show_images$|forge_preset$)/;

/** @throws EndpointError `invalid_request`, or `unsupported_feature` for what cannot be honoured. */
export function parseOptions(given: Record<string, unknown> | null): Options {
  const options = given ?? {};
  for (const [name, value] of Object.entries(options)) {
    if (Object.hasOwn(honoured.shape, name) || IRRELEVANT.test(name)) continue;
    if (isPictureOption(name, value) || isDefault(name, value)) continue;
    const field = `override_settings.${name}`;
    throw new EndpointError("unsupported_feature", `${field}: this is not available; leave it out`, {
      details: { field },
    });
  }
  const parsed = honoured.safeParse(options);
  if (!parsed.success) throw fieldErrors(parsed.error, ["override_settings"]);
  return parsed.data;
}

function isDefault(name: string, value: unknown): boolean {
  if (!Object.hasOwn(DEFAULTS, name)) return false;
  return (
    value === null || value === DEFAULTS[name] || String(value).toLowerCase() === String(DEFAULTS[name]).toLowerCase()
  );
}
