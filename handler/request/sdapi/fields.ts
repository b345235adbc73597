/** The fields of A1111's txt2img and img2img (v1.10.1): their types, its API's defaults, and what each may be here. */
import * as z from "zod";
import { boolean, dictionary, float, integer, prompt, seed, text } from "./values.ts";

/** pydantic's types; with `!` null is not allowed. */
export type FieldType = Kind | `${Kind}!`;
export type Kind = "text" | "integer" | "float" | "boolean" | "object" | "list" | "texts";

export interface Field {
  type: FieldType;
  /** A1111's API default. */
  fallback: unknown;
  /** Reads the value. A field without one is looked at by its type only. */
  schema?: z.ZodType;
  /** Only for what cannot be honoured: the values that ask for nothing. Any other value is refused by name. */
  neutral?: readonly unknown[];
}

const honoured = <S extends z.ZodType, F>(type: FieldType, schema: S, fallback: F) => ({ type, schema, fallback });
const unsupported = (type: FieldType, fallback: unknown, ...alsoNeutral: unknown[]): Field => ({
  type,
  fallback,
  neutral: [fallback, null, ...alsoNeutral],
});
/** As {@link unsupported}, in all the ways to say no. */
const unsupportedSwitch = (fallback: null | false): Field =>
  unsupported("boolean", fallback, false, 0, "false", "off", "no");
const ignored = (type: FieldType, fallback: unknown): Field => ({ type, fallback });

const side = integer(16, 16_384);
/** None, where it is not above 0. */
const resized = integer(Number.MIN_SAFE_INTEGER, 16_384);
const sigma = float(0, 1000);

/** A1111's model inherits: these come first, in both. */
const FIRST = {
  prompt: honoured("text", prompt, ""),
  negative_prompt: honoured("text", prompt, ""),
  styles: honoured("texts", z.array(text), null),
  seed: honoured("integer", seed, -1),
  subseed: honoured("integer", seed, -1),
  subseed_strength: honoured("float", float(-10, 10), 0),
  seed_resize_from_h: honoured("integer", resized, -1),
  seed_resize_from_w: honoured("integer", resized, -1),
  sampler_name: honoured("text", text, null),
  scheduler: honoured("text", text, null),
  batch_size: honoured("integer", integer(1, 100), 1),
  n_iter: honoured("integer", integer(1, 100), 1),
  steps: honoured("integer", integer(1, 10_000), 50),
  cfg_scale: honoured("float", float(0, 100), 7),
  width: honoured("integer", side, 512),
  height: honoured("integer", side, 512),
  restore_faces: unsupportedSwitch(null),
  tiling: unsupportedSwitch(null),
  do_not_save_samples: ignored("boolean", false),
  do_not_save_grid: ignored("boolean", false),
  eta: honoured("float", float(0, 100), null),
} as const satisfies Record<string, Field>;

const SECOND = {
  s_min_uncond: unsupported("float", null, 0),
  s_churn: honoured("float", sigma, null),
  s_tmax: honoured("float", sigma, null),
  s_tmin: honoured("float", sigma, null),
  s_noise: honoured("float", float(0, 100), null),
  override_settings: honoured("object", dictionary, null),
  override_settings_restore_afterwards: ignored("boolean", true),
  refiner_checkpoint: honoured("text", text, null),
  refiner_switch_at: honoured("float", float(), null),
  disable_extra_networks: honoured("boolean", boolean, false),
  firstpass_image: unsupported("text", null, ""),
  comments: ignored("object", null),
} as const satisfies Record<string, Field>;

/** What A1111's API adds to its model: these come last, in both. */
const LAST = {
  script_name: honoured("text", text, null),
  script_args: ignored("list!", []),
  send_images: honoured("boolean!", boolean, true),
  save_images: ignored("boolean!", false),
  alwayson_scripts: honoured("object!", dictionary, {}),
  infotext: honoured("text", text, null),
} as const satisfies Record<string, Field>;

/** In the order of A1111's own model. */
export const TXT2IMG_FIELDS = {
  ...FIRST,
  denoising_strength: honoured("float", float(), null),
  ...SECOND,
  enable_hr: honoured("boolean", boolean, false),
  firstphase_width: honoured("integer", integer(0, 16_384), 0),
  firstphase_height: honoured("integer", integer(0, 16_384), 0),
  hr_scale: honoured("float", float(0, 1000), 2),
  hr_upscaler: honoured("text", text, null),
  hr_second_pass_steps: honoured("integer", integer(0, 10_000), 0),
  hr_resize_x: honoured("integer", integer(0, 16_384), 0),
  hr_resize_y: honoured("integer", integer(0, 16_384), 0),
  hr_checkpoint_name: honoured("text", text, null),
  hr_sampler_name: honoured("text", text, null),
  hr_scheduler: honoured("text", text, null),
  hr_prompt: honoured("text", prompt, ""),
  hr_negative_prompt: honoured("text", prompt, ""),
  force_task_id: ignored("text", null),
  sampler_index: honoured("text!", text, "Euler"),
  ...LAST,
} as const satisfies Record<string, Field>;

/** A1111's web page blurs to 64 at most; the kernel grows with it. */
const blur = integer(0, 512);

/** In the order of A1111's own model. */
export const IMG2IMG_FIELDS = {
  ...FIRST,
  // A1111 takes more than 0.999 for that.
  denoising_strength: honoured("float!", float(0), 0.75),
  ...SECOND,
  init_images: honoured("list", z.array(text), null),
  // A1111 takes any other number for "resize and fill".
  resize_mode: honoured("integer", integer(), 0),
  // For models that edit by instruction, which are refused; A1111 does not look at it either for any other.
  image_cfg_scale: ignored("float", null),
  mask: honoured("text", text, null),
  mask_blur_x: honoured("integer", blur, 4),
  mask_blur_y: honoured("integer", blur, 4),
  mask_blur: honoured("integer", blur, null),
  mask_round: honoured("boolean", boolean, true),
  // A1111 takes any other number for 0.
  inpainting_fill: honoured("integer", integer(), 0),
  inpaint_full_res: honoured("boolean", boolean, true),
  inpaint_full_res_padding: honoured("integer", integer(-16_384, 16_384), 0),
  inpainting_mask_invert: honoured("integer", integer(), 0),
  initial_noise_multiplier: honoured("float", float(0, 100), null),
  latent_mask: unsupported("text", null, ""),
  force_task_id: ignored("text", null),
  sampler_index: honoured("text!", text, "Euler"),
  include_init_images: honoured("boolean!", boolean, false),
  ...LAST,
} as const satisfies Record<string, Field>;

type FieldTable = Readonly<Record<string, Field>>;
type Values<T extends FieldTable> = {
  [name in keyof T]: T[name] extends { schema: infer S extends z.ZodType; fallback: infer F }
    ? z.output<S> | (F extends null ? null : never)
    : unknown;
};

export type Txt2ImgFields = Values<typeof TXT2IMG_FIELDS>;
export type Img2ImgFields = Values<typeof IMG2IMG_FIELDS>;
/** What the two have in common. */
export type CommonFields = Pick<Txt2ImgFields, keyof Txt2ImgFields & keyof Img2ImgFields>;

/** Every field, with its default where the payload has none or null; other fields are dropped, as A1111 does. */
function schemaOf<T extends FieldTable>(table: T): z.ZodType<Values<T>> {
  const shape = Object.entries(table).map(([name, { schema = z.unknown(), fallback }]) => [
    name,
    z.preprocess((value) => value ?? undefined, schema.optional()).transform((value) => value ?? fallback),
  ]);
  return z.object(Object.fromEntries(shape)) as unknown as z.ZodType<Values<T>>;
}

export const txt2imgSchema = schemaOf(TXT2IMG_FIELDS);
export const img2imgSchema = schemaOf(IMG2IMG_FIELDS);

/** The fields that ask for something that is not available. */
export function unsupportedFields(table: FieldTable, payload: Readonly<Record<string, unknown>>): string[] {
  const isAsked = ([name, { neutral }]: [string, Field]) => {
    if (neutral === undefined || !(name in payload)) return false;
    const value = payload[name];
    const asJson = JSON.stringify(value);
    return !neutral.some((other) => other === value || JSON.stringify(other) === asJson || other === asJson);
  };
  return Object.entries(table)
    .filter(isAsked)
    .map(([name]) => name);
}
