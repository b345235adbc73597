/** A1111's options that a request may set for itself (`override_settings`), or a worker for all of them. */
import * as z from "zod";
import { fieldErrors, notAvailable } from "../field-errors.ts";
import type { Notes } from "./notes.ts";
import { asksForNothing, IRRELEVANT, UNAVAILABLE } from "./option-classes.ts";
import { isPictureOption } from "./picture-options.ts";
import { boolean, colour, float, integer, text } from "./values.ts";

const orDefault = <T extends z.ZodType>(schema: T) => z.preprocess((value) => value ?? undefined, schema.optional());
const flag = orDefault(boolean);
const ratio = orDefault(float(0, 1));
/** What ComfyUI takes. */
const score = orDefault(float(0, 1000));

/** Those about what is drawn; a file's format and the like are picture options. */
const honoured = z.object({
  sd_model_checkpoint: z.unknown().optional(),
  sd_vae: orDefault(text),
  CLIP_stop_at_last_layers: orDefault(integer(0, 24)),
  emphasis: orDefault(z.enum(["Original", "Ignore", "None"])),
  enable_prompt_comments: flag,
  use_old_scheduling: flag,
  eta_ancestral: orDefault(float(0, 100)),
  eta_ddim: orDefault(float(0, 100)),
  uni_pc_variant: orDefault(z.enum(["bh1", "bh2"])),
  token_merging_ratio: ratio,
  token_merging_ratio_hr: ratio,
  token_merging_ratio_img2img: ratio,
  refiner_switch_by_sample_steps: flag,
  hires_fix_refiner_pass: orDefault(z.enum(["first pass", "second pass", "both passes"])),
  use_old_hires_fix_width_height: flag,
  forge_additional_modules: orDefault(z.array(text)),
  forge_preset: orDefault(text),
  img2img_fix_steps: flag,
  overlay_inpaint: flag,
  inpainting_mask_weight: ratio,
  img2img_background_color: orDefault(colour),
  sdxl_refiner_low_aesthetic_score: score,
  sdxl_refiner_high_aesthetic_score: score,
  return_grid: flag,
  grid_only_if_multiple: flag,
  grid_prevent_empty_spots: flag,
  n_rows: orDefault(integer(-1, 10_000)),
  add_model_name_to_info: flag,
  add_model_hash_to_info: flag,
  add_vae_name_to_info: flag,
  add_vae_hash_to_info: flag,
  add_version_to_infotext: flag,
  lora_add_hashes_to_infotext: flag,
  textual_inversion_add_hashes_to_infotext: flag,
  // Whatever is not CPU or NV is what the machine has.
  randn_source: orDefault(text),
  sgm_noise_multiplier: flag,
  initial_noise_multiplier: orDefault(float(0, 100)),
  img2img_extra_noise: orDefault(float(0, 100)),
  eta_noise_seed_delta: orDefault(integer()),
  sigma_min: orDefault(float(0, 1000)),
  sigma_max: orDefault(float(0, 1000)),
  rho: orDefault(float(0, 100)),
  beta_dist_alpha: orDefault(float(0.01, 100)),
  beta_dist_beta: orDefault(float(0.01, 100)),
  always_discard_next_to_last_sigma: flag,
  s_churn: orDefault(float(0, 1000)),
  s_tmin: orDefault(float(0, 1000)),
  s_tmax: orDefault(float(0, 1000)),
  s_noise: orDefault(float(0, 100)),
  /** Ours: the pictures of a batch are drawn together. */
  batch_latents: flag,
});

export type Options = z.output<typeof honoured>;

export const HONOURED_OPTIONS = honoured.shape;

/** Values that A1111 has and this endpoint has not. */
export const UNAVAILABLE_VALUES: Readonly<Record<string, readonly unknown[]>> = {
  emphasis: ["No norm"],
  uni_pc_variant: ["vary_coeff"],
};

/** How an option is treated, whatever its value; undefined for a name that A1111 has not. */
export function classOfOption(name: string): "honoured" | "unavailable" | "irrelevant" | undefined {
  if (Object.hasOwn(honoured.shape, name) || isPictureOption(name)) return "honoured";
  if (UNAVAILABLE.includes(name)) return "unavailable";
  return IRRELEVANT.includes(name) ? "irrelevant" : undefined;
}

/** Whether setting the option to this value does what it says, if only because nothing depends on it. */
export function canBeHonoured(name: string, value: unknown): boolean {
  const kind = classOfOption(name);
  if (kind === "honoured") return !UNAVAILABLE_VALUES[name]?.includes(value);
  return kind === "irrelevant" || (kind === "unavailable" && asksForNothing(name, value));
}

/**
 * @param path what stands before an option's name in an error.
 * @throws EndpointError `invalid_request`, or `unsupported_feature` for what cannot be honoured.
 */
export function parseOptions(
  given: Readonly<Record<string, unknown>>,
  notes: Notes,
  path: readonly string[] = ["override_settings"],
): Options {
  const usable = Object.entries(given).filter(([name, value]) => {
    if (canBeHonoured(name, value)) return true;
    const why = UNAVAILABLE_VALUES[name] && `'${value}' is not available`;
    notes.refuse(notAvailable(`override_settings.${name}`, why));
    return false;
  });
  const parsed = honoured.safeParse(Object.fromEntries(usable));
  if (!parsed.success) throw fieldErrors(parsed.error, path);
  return parsed.data;
}
