/** A1111's script "Soft Inpainting" (extensions-builtin/soft-inpainting), by its arguments or an infotext. */
import * as z from "zod";
import type { Catalogue } from "../../../runtime/comfyui/catalogue.ts";
import { EndpointError } from "../../../runtime/errors.ts";
import type { ResolvedSampler } from "../../../workflows/sampler-names.ts";
import { SOFT_INPAINT_NODES, type SoftInpainting } from "../../../workflows/soft-inpainting.ts";
import { parseInfotext } from "../../infotext/parse.ts";
import type { Parameters } from "../../infotext/write.ts";
import { fieldErrors, invalidField } from "../field-errors.ts";
import type { Img2ImgFields } from "./fields.ts";
import { float } from "./values.ts";

const TITLE = "soft inpainting";
const FIELD = `alwayson_scripts.${TITLE}`;
const ENABLED = "Soft inpainting enabled";

export const isSoftInpainting = (title: string) => title.toLowerCase() === TITLE;

interface Setting {
  name: keyof SoftInpainting;
  fallback: number;
  min: number;
  max: number;
  /** In infotexts. */
  label: string;
}

/** In the order of the script's arguments, after the one that switches it on. A1111's page has bounds within these; its API has none. */
const SETTINGS: readonly Setting[] = [
  { name: "scheduleBias", fallback: 1, min: 0, max: 100, label: "schedule bias" },
  { name: "preservationStrength", fallback: 0.5, min: 0, max: 100, label: "preservation strength" },
  { name: "transitionContrastBoost", fallback: 4, min: 0.01, max: 100, label: "transition contrast boost" },
  { name: "maskInfluence", fallback: 0, min: 0, max: 1, label: "mask influence" },
  { name: "differenceThreshold", fallback: 0.5, min: 0, max: 100, label: "difference threshold" },
  { name: "differenceContrast", fallback: 2, min: 0, max: 100, label: "difference contrast" },
].map((setting) => ({ ...setting, label: `Soft inpainting ${setting.label}` }) as Setting);

/** @returns undefined where it is off, or there is no mask: A1111 does nothing then. @throws EndpointError `invalid_request`. */
export function readSoftInpainting({ alwayson_scripts, infotext, mask }: Img2ImgFields): SoftInpainting | undefined {
  const script = Object.entries(alwayson_scripts).find(([title]) => isSoftInpainting(title))?.[1];
  const given = argsOf(script);
  const written = parseInfotext(infotext ?? "");
  const argument = (index: number, label: string, fallback: unknown) =>
    (index < given.length ? given[index] : undefined) ?? written[label] ?? fallback;
  const isOn = argument(0, ENABLED, false);
  if (mask === null || OFF.includes(isOn)) return undefined;
  const values = SETTINGS.map(({ name, fallback, min, max, label }, index) => {
    const parsed = float(min, max).safeParse(argument(index + 1, label, fallback));
    if (!parsed.success) throw fieldErrors(parsed.error, [FIELD, "args", index + 1]);
    return [name, parsed.data];
  });
  return Object.fromEntries(values) as SoftInpainting;
}

const OFF: readonly unknown[] = [false, "false", "False", 0, "", null];

const scriptSchema = z.object({ args: z.array(z.unknown()).nullish() });

function argsOf(script: unknown): unknown[] {
  if (script === undefined || script === null || (Array.isArray(script) && script.length === 0)) return [];
  const parsed = scriptSchema.safeParse(script);
  if (!parsed.success) throw invalidField(`${FIELD}.args`, "value is not a valid list");
  return parsed.data.args ?? [];
}

/** These call the model with a number of a time step in the place of the noise's strength. */
const BY_TIME_STEPS = ["DDIM", "DDIM CFG++", "PLMS", "UniPC"];

/** @throws EndpointError `unsupported_feature` for a sampler or a ComfyUI with which it cannot be done. */
export function checkSoftInpainting({ samplerName }: ResolvedSampler, catalogue: Catalogue): void {
  const details = { field: FIELD };
  if (BY_TIME_STEPS.includes(samplerName))
    throw new EndpointError(
      "unsupported_feature",
      `${FIELD}: soft inpainting with the sampler ${samplerName} is not available; the other samplers are`,
      { details },
    );
  const missing = SOFT_INPAINT_NODES.find((node) => !catalogue.has(node));
  if (missing === undefined) return;
  throw new EndpointError(
    "unsupported_feature",
    `${FIELD}: soft inpainting needs the node ${missing}, which this ComfyUI has not`,
    { details },
  );
}

export const softParameters = (soft: SoftInpainting): Parameters => ({
  [ENABLED]: true,
  ...Object.fromEntries(SETTINGS.map(({ name, label }) => [label, soft[name]])),
});
