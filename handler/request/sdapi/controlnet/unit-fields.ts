/** The fields of a ControlNet unit: sd-webui-controlnet v1.1.455, internal_controlnet/args.py. */
import * as z from "zod";
import { RESIZE_MODES } from "../../../../workflows/control-placement.ts";
import { fieldErrors, invalidField, notAvailable } from "../../field-errors.ts";
import { boolean, float, integer, text } from "../values.ts";

export const CONTROL_MODES = ["Balanced", "My prompt is more important", "ControlNet is more important"] as const;
export const HR_OPTIONS = ["Both", "Low res only", "High res only"] as const;

/** By the extension's names of what a union ControlNet is told: SetUnionControlNetType's. */
export const UNION_TYPES = {
  OpenPose: "openpose",
  Depth: "depth",
  "Soft Edge": "hed/pidi/scribble/ted",
  "Hard Edge": "canny/lineart/anime_lineart/mlsd",
  "Normal Map": "normal",
  Segmentation: "segment",
  Tile: "tile",
  Inpaint: "repaint",
  Unknown: undefined,
} as const;

const OLD_RESIZE_MODES: Readonly<Record<string, (typeof RESIZE_MODES)[number]>> = {
  "Inner Fit (Scale to Fit)": "Crop and Resize",
  "Scale to Fit (Inner Fit)": "Crop and Resize",
  "Outer Fit (Shrink to Fit)": "Resize and Fill",
  "Envelope (Outer Fit)": "Resize and Fill",
};

/** A label, or its number. */
function choice<T extends string>(labels: readonly T[], alsoKnown: Readonly<Record<string, T>> = {}) {
  const byNumber = (value: unknown) => (typeof value === "number" ? (labels[value] ?? value) : value);
  const read = (value: unknown) => (typeof value === "string" ? (alsoKnown[value] ?? value) : byNumber(value));
  return z.preprocess(read, z.enum(labels as [T, ...T[]], `value is not one of: ${labels.join(", ")}`));
}

/** Null stands for the default. */
const orDefault = <T extends z.ZodType>(schema: T, fallback: z.core.util.NoUndefined<z.output<T>>) =>
  z.preprocess((value) => value ?? undefined, schema.default(fallback));

export const unitSchema = z.object({
  enabled: z.preprocess((value) => value ?? undefined, boolean.optional()),
  module: orDefault(text, "none"),
  model: orDefault(text, "None"),
  weight: orDefault(float(0, 2), 1),
  image: z.unknown().optional(),
  mask: z.unknown().optional(),
  resize_mode: orDefault(choice(RESIZE_MODES, OLD_RESIZE_MODES), "Crop and Resize"),
  processor_res: orDefault(integer(), -1),
  threshold_a: orDefault(float(), -1),
  threshold_b: orDefault(float(), -1),
  guidance_start: orDefault(float(0, 1), 0),
  guidance_end: orDefault(float(0, 1), 1),
  pixel_perfect: orDefault(boolean, false),
  control_mode: orDefault(choice(CONTROL_MODES), "Balanced"),
  inpaint_crop_input_image: orDefault(boolean, true),
  hr_option: orDefault(choice(HR_OPTIONS), "Both"),
  save_detected_map: orDefault(boolean, false),
  union_control_type: orDefault(choice(Object.keys(UNION_TYPES) as (keyof typeof UNION_TYPES)[]), "Unknown"),
});

export type UnitFields = z.output<typeof unitSchema>;

/** Names of older releases. */
export const ALIASES = { guidance: "guidance_end", lowvram: "low_vram", input_image: "image" } as const;

/** What cannot be honoured, with the values that ask for nothing. */
export const UNSUPPORTED: Readonly<Record<string, readonly unknown[]>> = {
  input_mode: ["simple"],
  advanced_weighting: [],
  effective_region_mask: [""],
  pulid_mode: ["Fidelity"],
  ipadapter_input: [""],
  animatediff_batch: [false],
  batch_mask_dir: [""],
  batch_keyframe_idx: [""],
};

/**
 * @param field where the unit stands in the request.
 * @throws EndpointError `invalid_request`, `unsupported_feature`.
 */
export function readUnitFields(field: string, given: Readonly<Record<string, unknown>>): UnitFields {
  const unit: Record<string, unknown> = { ...given };
  for (const [alias, name] of Object.entries(ALIASES)) {
    if (!(alias in unit)) continue;
    if (name in unit) throw invalidField(field, `Conflict of field '${alias}' and '${name}'`);
    unit[name] = unit[alias];
  }
  if (isSet(unit["mask_image"])) {
    if (isSet(unit["mask"])) throw invalidField(field, "Cannot specify both 'mask' and 'mask_image'!");
    unit["mask"] = unit["mask_image"];
  }
  const parsed = unitSchema.safeParse(unit);
  if (!parsed.success) throw fieldErrors(parsed.error, [field]);
  const { guidance_start: start, guidance_end: end } = parsed.data;
  if (start > end) throw invalidField(field, `guidance_start(${start}) > guidance_end(${end})`);
  return parsed.data;
}

const isSet = (value: unknown) => value !== null && value !== undefined;

/** @throws EndpointError `unsupported_feature`. */
export function refuseUnsupported(field: string, unit: Readonly<Record<string, unknown>>): void {
  const asked = Object.entries(UNSUPPORTED).find(([name, neutral]) => {
    const value = unit[name];
    return isSet(value) && !(Array.isArray(value) && value.length === 0) && !neutral.includes(value);
  });
  if (asked === undefined) return;
  const [name] = asked;
  throw notAvailable(`${field}.${name}`);
}
