/** The fields of A1111's txt2img with its API defaults (v1.10.1), and what each may be here. */
import * as z from "zod";
import { isRawNumber } from "../../../runtime/json.ts";

const FLOAT_TEXT = /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i;

/** Numbers may come as text and truth values as numbers: clients rely on what pydantic v1 accepts. */
const asNumber = (value: unknown): unknown => {
  if (isRawNumber(value)) return Number(value.rawJSON);
  if (typeof value === "boolean") return Number(value);
  if (typeof value === "string" && FLOAT_TEXT.test(value)) return Number(value);
  return value;
};

const INTEGER_TEXT = /^\s*[+-]?\d+\s*$/;

/** pydantic's int: 12.5 is cut to 12, but the text "12.5" is no integer. */
const asInteger = (value: unknown): unknown => {
  if (typeof value === "string") return INTEGER_TEXT.test(value) ? Number(value) : value;
  const number = asNumber(value);
  return typeof number === "number" ? Math.trunc(number) : number;
};

const asBigInteger = (value: unknown): unknown => {
  if (isRawNumber(value)) return BigInt(value.rawJSON);
  if (typeof value === "string" && INTEGER_TEXT.test(value)) return BigInt(value.trim());
  const number = asInteger(value);
  return typeof number === "number" && Number.isFinite(number) ? BigInt(number) : number;
};

const BOOLEAN_TEXT: Record<string, boolean> = {
  true: true,
  on: true,
  yes: true,
  y: true,
  t: true,
  "1": true,
  false: false,
  off: false,
  no: false,
  n: false,
  f: false,
  "0": false,
};
const asBoolean = (value: unknown): unknown =>
  typeof value === "string" || typeof value === "number" ? (BOOLEAN_TEXT[String(value).toLowerCase()] ?? value) : value;

const asText = (value: unknown): unknown => {
  if (isRawNumber(value)) return value.rawJSON;
  if (typeof value === "boolean") return value ? "True" : "False"; // Python's words
  return typeof value === "number" ? String(value) : value;
};

const NOT_AN_INTEGER = "value is not a valid integer";
const NOT_A_FLOAT = "value is not a valid float";
export const integer = (min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER) =>
  z.preprocess(asInteger, z.number(NOT_AN_INTEGER).int(NOT_AN_INTEGER).min(min).max(max));
export const float = (min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY) =>
  z.preprocess(asNumber, z.number(NOT_A_FLOAT).min(min).max(max));
/** Longer ones take time that grows with the square of their brackets. */
const prompt = z.preprocess(asText, z.string("str type expected").max(30_000));
export const boolean = z.preprocess(asBoolean, z.boolean("value could not be parsed to a boolean"));
export const text = z.preprocess(asText, z.string("str type expected"));

/** ComfyUI's seeds have 64 bits; a negative one asks for a random one. */
const seed = z.preprocess(asBigInteger, z.bigint(NOT_AN_INTEGER).max(2n ** 64n - 1n));

/** Of no pairs, pydantic makes an object. */
const emptyListAsObject = (value: unknown) => (Array.isArray(value) && value.length === 0 ? {} : value);

interface Field {
  schema: z.ZodType;
  /** A1111's API default. */
  fallback: unknown;
  /** Only for what cannot be honoured: the values that ask for nothing. Any other value is refused by name. */
  neutral?: readonly unknown[];
}

const unsupported = (fallback: unknown, ...alsoNeutral: unknown[]): Field => ({
  schema: z.unknown(),
  fallback,
  neutral: [fallback, null, ...alsoNeutral],
});
/** As {@link unsupported}, in all the ways to say no. */
const unsupportedSwitch = (fallback: null | false): Field => unsupported(fallback, false, 0, "false", "off", "no");
const ignored = (fallback: unknown): Field => ({ schema: z.unknown(), fallback });

/** In the order of A1111's own model. */
export const TXT2IMG_FIELDS = {
  prompt: { schema: prompt, fallback: "" },
  negative_prompt: { schema: prompt, fallback: "" },
  styles: unsupported(null, "[]", '[""]', '["None"]'),
  seed: { schema: seed, fallback: -1 },
  subseed: ignored(-1),
  subseed_strength: unsupported(0, "0"),
  seed_resize_from_h: unsupported(-1, 0),
  seed_resize_from_w: unsupported(-1, 0),
  sampler_name: { schema: text, fallback: null },
  scheduler: { schema: text, fallback: null },
  batch_size: { schema: integer(1, 100), fallback: 1 },
  n_iter: { schema: integer(1, 100), fallback: 1 },
  steps: { schema: integer(1, 10_000), fallback: 50 },
  cfg_scale: { schema: float(0, 100), fallback: 7 },
  width: { schema: integer(16, 16_384), fallback: 512 },
  height: { schema: integer(16, 16_384), fallback: 512 },
  restore_faces: unsupportedSwitch(null),
  tiling: unsupportedSwitch(null),
  do_not_save_samples: ignored(false),
  do_not_save_grid: ignored(false),
  eta: { schema: float(0, 100), fallback: null },
  denoising_strength: { schema: float(), fallback: null },
  s_min_uncond: unsupported(null, 0),
  s_churn: unsupported(null, 0),
  s_tmax: unsupported(null, 0),
  s_tmin: unsupported(null, 0),
  s_noise: { schema: float(0, 100), fallback: null },
  override_settings: { schema: z.record(z.string(), z.unknown()), fallback: null },
  override_settings_restore_afterwards: ignored(true),
  refiner_checkpoint: { schema: text, fallback: null },
  refiner_switch_at: { schema: float(), fallback: null },
  disable_extra_networks: { schema: boolean, fallback: false },
  firstpass_image: unsupported(null, ""),
  comments: ignored(null),
  enable_hr: { schema: boolean, fallback: false },
  firstphase_width: { schema: integer(0, 16_384), fallback: 0 },
  firstphase_height: { schema: integer(0, 16_384), fallback: 0 },
  hr_scale: { schema: float(0, 1000), fallback: 2 },
  hr_upscaler: { schema: text, fallback: null },
  hr_second_pass_steps: { schema: integer(0, 10_000), fallback: 0 },
  hr_resize_x: { schema: integer(0, 16_384), fallback: 0 },
  hr_resize_y: { schema: integer(0, 16_384), fallback: 0 },
  hr_checkpoint_name: { schema: text, fallback: null },
  hr_sampler_name: { schema: text, fallback: null },
  hr_scheduler: { schema: text, fallback: null },
  hr_prompt: { schema: prompt, fallback: "" },
  hr_negative_prompt: { schema: prompt, fallback: "" },
  force_task_id: ignored(null),
  sampler_index: { schema: text, fallback: "Euler" },
  script_name: unsupported(null, "", "None"),
  script_args: ignored([]),
  send_images: { schema: boolean, fallback: true },
  save_images: ignored(false),
  alwayson_scripts: { schema: z.preprocess(emptyListAsObject, z.record(z.string(), z.unknown())), fallback: {} },
  infotext: { schema: text, fallback: null },
} as const satisfies Record<string, Field>;

const isNeutral = (field: Field, value: unknown) => {
  const asJson = JSON.stringify(value);
  return (
    field.neutral?.some((neutral) => neutral === value || JSON.stringify(neutral) === asJson || neutral === asJson) ??
    true
  );
};

/** The first field that asks for something that is not available. */
export function unsupportedField(payload: Record<string, unknown>): string | undefined {
  return Object.entries(TXT2IMG_FIELDS as Record<string, Field>).find(
    ([name, field]) => name in payload && !isNeutral(field, payload[name]),
  )?.[0];
}

/** Null stands for the default, as in A1111's optional fields. */
const withDefaults = Object.fromEntries(
  Object.entries(TXT2IMG_FIELDS as Record<string, Field>).map(([name, { schema, fallback }]) => [
    name,
    z.preprocess((value) => value ?? undefined, schema.optional()).transform((value) => value ?? fallback),
  ]),
);

/** Every field, with its default where the payload has none; other fields are dropped, as A1111 does. */
export const txt2imgSchema = z.object(withDefaults) as unknown as z.ZodType<Txt2ImgFields>;

export interface Txt2ImgFields {
  prompt: string;
  negative_prompt: string;
  seed: bigint | number;
  sampler_name: string | null;
  sampler_index: string;
  scheduler: string | null;
  batch_size: number;
  n_iter: number;
  steps: number;
  cfg_scale: number;
  width: number;
  height: number;
  send_images: boolean;
  override_settings: Record<string, unknown> | null;
  alwayson_scripts: Record<string, unknown>;
  eta: number | null;
  s_noise: number | null;
  denoising_strength: number | null;
  disable_extra_networks: boolean;
  refiner_checkpoint: string | null;
  refiner_switch_at: number | null;
  enable_hr: boolean;
  firstphase_width: number;
  firstphase_height: number;
  hr_scale: number;
  hr_upscaler: string | null;
  hr_second_pass_steps: number;
  hr_resize_x: number;
  hr_resize_y: number;
  hr_checkpoint_name: string | null;
  hr_sampler_name: string | null;
  hr_scheduler: string | null;
  hr_prompt: string;
  hr_negative_prompt: string;
  [other: string]: unknown;
}

/** Fields that A1111 has not and some of its clients send. */
export const extensionSchema = z.object({
  clip_skip: z.preprocess((value) => value ?? undefined, integer(0, 24).optional()),
  loras: z.preprocess(
    (value) => value ?? undefined,
    z.array(z.object({ name: text, strength_model: float().default(1), strength_clip: float().optional() })).optional(),
  ),
});

export type ExtensionFields = z.output<typeof extensionSchema>;

/** In the documentation's example of A1111 every text is `string`, and every number that is not set is 0. */
const PLACEHOLDER = "string";
const ZERO_IF_EXAMPLE = ["eta", "s_noise", "refiner_switch_at", "denoising_strength"];
const PLACEHOLDER_FIELDS = [
  "sampler_name",
  "scheduler",
  "refiner_checkpoint",
  "firstpass_image",
  "hr_upscaler",
  "hr_checkpoint_name",
  "hr_sampler_name",
  "hr_scheduler",
  "script_name",
  "infotext",
  "styles",
];

/** A request without the values that somebody left as they were in the documentation's example. */
export function withoutPlaceholders(payload: Record<string, unknown>): Record<string, unknown> {
  const isPlaceholder = (name: string) =>
    PLACEHOLDER_FIELDS.includes(name) &&
    [payload[name], (payload[name] as unknown[] | null)?.[0]].includes(PLACEHOLDER);
  const unset = PLACEHOLDER_FIELDS.filter(isPlaceholder);
  if (unset.length === 0) return payload;
  unset.push(...ZERO_IF_EXAMPLE.filter((name) => payload[name] === 0));
  return Object.fromEntries(Object.entries(payload).filter(([name]) => !unset.includes(name)));
}
