/** `alwayson_scripts.controlnet` of A1111's requests: which units are on, and what each asks for. */
import { EndpointError } from "../../../../runtime/errors.ts";
import { isRawNumber } from "../../../../runtime/json.ts";
import { invalidField } from "../../field-errors.ts";
import type { Notes } from "../notes.ts";
import { findPreprocessor, type Preprocessor, type PreprocessorName, sliderValue } from "./preprocessors.ts";
import { readUnitFields, refuseUnsupported, type UnitFields } from "./unit-fields.ts";

export interface ControlUnit {
  /** Where it stands in the request, for errors. */
  field: string;
  fields: UnitFields;
  preprocessor: Preprocessor & { name: PreprocessorName };
  /** Within the preprocessor's bounds. */
  processorRes: number;
  thresholdA: number;
  thresholdB: number;
  /** As sent; undefined: the picture that img2img starts from. */
  picture: { image: string; mask?: string } | undefined;
}

const SCRIPT = "controlnet";
const ARGS = `alwayson_scripts.${SCRIPT}.args`;
/** The most that the extension's setting `control_net_unit_count` goes to. */
const MAX_UNITS = 10;

export const isControlnet = (title: string) => title.toLowerCase() === SCRIPT;

/** What lenient mode does with a unit that it cannot use. */
export const unitLeftOut = () => "the unit is left out";

/**
 * The units that are on.
 * @throws EndpointError `invalid_request`, `unsupported_feature`.
 */
export function parseControlUnits(scripts: Readonly<Record<string, unknown>>, notes: Notes): ControlUnit[] {
  const usable = (field: string, arg: unknown) =>
    notes.orElse(
      () => parseUnit(field, arg),
      () => undefined,
      unitLeftOut,
    );
  const units = Object.entries(scripts)
    .filter(([title]) => isControlnet(title))
    .flatMap(([, script]) => argsOf(script))
    .flatMap((arg, index) => usable(`${ARGS}.${index}`, arg) ?? []);
  if (units.length <= MAX_UNITS) return units;
  throw invalidField(ARGS, `${units.length} units are more than the ${MAX_UNITS} of one request`);
}

function argsOf(script: unknown): unknown[] {
  if (script === null || (Array.isArray(script) && script.length === 0)) return [];
  const args = isObject(script) ? (script["args"] ?? []) : undefined;
  if (Array.isArray(args)) return args;
  throw invalidField(ARGS, "value is not a valid list");
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !isRawNumber(value);

/** @returns undefined for one that is off. */
function parseUnit(field: string, arg: unknown): ControlUnit | undefined {
  if (arg === null || arg === false) return undefined;
  if (!isObject(arg))
    throw new EndpointError(
      "unsupported_feature",
      `${field}: units are objects with named fields; the old list of positional arguments is not available`,
      { details: { field } },
    );
  if (isOff(field, arg)) return undefined;
  const fields = readUnitFields(field, arg);
  refuseUnsupported(field, arg);
  if (isNone(fields.model)) throw invalidField(`${field}.model`, "You have not selected any ControlNet Model.");
  const preprocessor = findPreprocessor(`${field}.module`, fields.module);
  return {
    field,
    fields,
    preprocessor,
    processorRes: sliderValue(preprocessor.resolution, fields.processor_res),
    thresholdA: sliderValue(preprocessor.thresholdA, fields.threshold_a),
    thresholdB: sliderValue(preprocessor.thresholdB, fields.threshold_b),
    picture: readPicture(`${field}.image`, fields.image, fields.mask),
  };
}

const isNone = (model: unknown) => ["", "none"].includes(String(model ?? "").toLowerCase());

/** Older releases and Forge take a unit that does not say as switched on; one without model and picture asks for nothing. */
function isOff(field: string, unit: Record<string, unknown>): boolean {
  const { enabled, model } = unit;
  if (enabled === undefined || enabled === null) {
    const image = unit["image"] ?? unit["input_image"];
    return isNone(model) && (image === undefined || image === null || image === "");
  }
  return readUnitFields(field, { enabled }).enabled === false;
}

function readPicture(field: string, image: unknown, mask: unknown): ControlUnit["picture"] {
  if (image === undefined || image === null || image === "") return undefined;
  if (typeof image === "string") return asPicture(field, image, mask);
  if (Array.isArray(image)) {
    const [first, second] = image as unknown[];
    if (isObject(first)) {
      if (image.length === 1) return readPicture(field, first, undefined);
      throw new EndpointError("unsupported_feature", `${field}: only one picture a unit is available`, {
        details: { field },
      });
    }
    if (image.length === 2) return asPicture(field, first, second);
  }
  if (isObject(image)) return asPicture(field, image["image"], image["mask"]);
  throw invalidField(field, "value is not a valid picture: base64, {image, mask} or [image, mask]");
}

function asPicture(field: string, image: unknown, mask: unknown): ControlUnit["picture"] {
  if (typeof image !== "string") throw invalidField(field, "str type expected");
  if (mask === undefined || mask === null || mask === "") return { image };
  if (typeof mask !== "string") throw invalidField(field.replace(/image$/, "mask"), "str type expected");
  return { image, mask };
}
