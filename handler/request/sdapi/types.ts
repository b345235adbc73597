/** The types of A1111's request (v1.10.1), checked as pydantic 1 checks them, also where a field has no effect here. */
import { EndpointError } from "../../../runtime/errors.ts";
import { isRawNumber } from "../../../runtime/json.ts";

type Kind = "text" | "integer" | "float" | "boolean" | "object" | "list" | "texts";

/** In the order of A1111's model, which is that of its complaints; with `!` null is not allowed. */
export const TXT2IMG_TYPES: Readonly<Record<string, Kind | `${Kind}!`>> = {
  prompt: "text",
  negative_prompt: "text",
  styles: "texts",
  seed: "integer",
  subseed: "integer",
  subseed_strength: "float",
  seed_resize_from_h: "integer",
  seed_resize_from_w: "integer",
  sampler_name: "text",
  scheduler: "text",
  batch_size: "integer",
  n_iter: "integer",
  steps: "integer",
  cfg_scale: "float",
  width: "integer",
  height: "integer",
  restore_faces: "boolean",
  tiling: "boolean",
  do_not_save_samples: "boolean",
  do_not_save_grid: "boolean",
  eta: "float",
  denoising_strength: "float",
  s_min_uncond: "float",
  s_churn: "float",
  s_tmax: "float",
  s_tmin: "float",
  s_noise: "float",
  override_settings: "object",
  override_settings_restore_afterwards: "boolean",
  refiner_checkpoint: "text",
  refiner_switch_at: "float",
  disable_extra_networks: "boolean",
  firstpass_image: "text",
  comments: "object",
  enable_hr: "boolean",
  firstphase_width: "integer",
  firstphase_height: "integer",
  hr_scale: "float",
  hr_upscaler: "text",
  hr_second_pass_steps: "integer",
  hr_resize_x: "integer",
  hr_resize_y: "integer",
  hr_checkpoint_name: "text",
  hr_sampler_name: "text",
  hr_scheduler: "text",
  hr_prompt: "text",
  hr_negative_prompt: "text",
  force_task_id: "text",
  sampler_index: "text!",
  script_name: "text",
  script_args: "list!",
  send_images: "boolean!",
  save_images: "boolean!",
  alwayson_scripts: "object!",
  infotext: "text",
};

interface Issue {
  field: string;
  message: string;
}

const INTEGER = /^\s*[+-]?\d+\s*$/;
const FLOAT = /^\s*[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|nan|inf(inity)?)\s*$/i;
const BOOLEAN = /^(true|false|on|off|yes|no|y|n|t|f|1|0)$/i;

const isNumber = (value: unknown) => typeof value === "number" || typeof value === "boolean" || isRawNumber(value);
const isText = (value: unknown) => typeof value === "string" || isNumber(value);
const matches = (pattern: RegExp, value: unknown) => typeof value === "string" && pattern.test(value);
const isObject = (value: unknown) => typeof value === "object" && !Array.isArray(value) && !isRawNumber(value);
const NONE = "none is not an allowed value";

const CHECKS: Readonly<Record<Exclude<Kind, "texts">, { fits(value: unknown): boolean; message: string }>> = {
  text: { fits: isText, message: "str type expected" },
  integer: {
    fits: (value) => isNumber(value) || matches(INTEGER, value),
    message: "value is not a valid integer",
  },
  float: { fits: (value) => isNumber(value) || matches(FLOAT, value), message: "value is not a valid float" },
  boolean: {
    fits: (value) => typeof value === "boolean" || value === 0 || value === 1 || matches(BOOLEAN, value),
    message: "value could not be parsed to a boolean",
  },
  // pydantic makes a dict of a list of pairs, so also of the empty list.
  object: {
    fits: (value) => isObject(value) || (Array.isArray(value) && value.length === 0),
    message: "value is not a valid dict",
  },
  list: { fits: Array.isArray, message: "value is not a valid list" },
};

/** @throws EndpointError `invalid_request` that lists every field of a wrong type. */
export function checkTypes(types: Readonly<Record<string, Kind | `${Kind}!`>>, payload: object): void {
  const given = payload as Record<string, unknown>;
  const issues = Object.entries(types).flatMap(([field, type]) =>
    given[field] === undefined ? [] : issuesOf(field, type, given[field]),
  );
  if (issues.length === 0) return;
  const text = issues.map(({ field, message }) => `${field}: ${message}`).join("; ");
  throw new EndpointError("invalid_request", text, { details: { issues } });
}

function issuesOf(field: string, type: Kind | `${Kind}!`, value: unknown): Issue[] {
  const kind = type.replace("!", "") as Kind;
  if (value === null) return type.endsWith("!") ? [{ field, message: NONE }] : [];
  if (kind !== "texts") return CHECKS[kind].fits(value) ? [] : [{ field, message: CHECKS[kind].message }];
  if (!Array.isArray(value)) return [{ field, message: CHECKS.list.message }];
  return value.flatMap((item, index) => issuesOf(`${field}.${index}`, "text!", item));
}
