/** What hires fix and the like add to A1111's `info` and infotext, by its names and in its order. */
import type { Hires, Refiner } from "../../../workflows/generation.ts";
import { DEFAULT_DISTILLED_CFG } from "../../../workflows/guidance.ts";
import { familyOf } from "../../../workflows/model-family.ts";
import type { Models } from "../../../workflows/models.ts";
import { PythonFloat } from "../../infotext/python.ts";
import type { Parameters } from "../../infotext/write.ts";
import type { Common } from "./common.ts";
import type { ExtensionFields } from "./extensions.ts";
import type { CommonFields, Txt2ImgFields } from "./fields.ts";
import type { SdapiRequest } from "./parse.ts";
import { writtenPrompts } from "./prompts.ts";

interface HiresGeneration {
  request: SdapiRequest<Txt2ImgFields>;
  hires: Hires;
  /** Of the first pass. */
  common: Common;
  /** A1111's short title of a model. */
  title: (models: Models) => string;
}

export function hiresParameters({ request, hires, common, title }: HiresGeneration): Parameters {
  const { fields } = request;
  const { sampler, written } = common;
  const { checkpoint } = common.models;
  const other = hires.sampler;
  const ifDifferent = (value: string, first: string) => (value !== "" && value !== first ? value : null);
  const own = writtenPrompts(request, { positive: fields.hr_prompt, negative: fields.hr_negative_prompt });
  return {
    "Denoising strength": hires.strength,
    ...(hires.models.checkpoint !== checkpoint && { "Hires checkpoint": title(hires.models) }),
    ...modulesParameters(request.extensions),
    ...(other.samplerName !== sampler.samplerName && { "Hires sampler": other.samplerName }),
    // A1111 writes it as it was sent.
    ...(fields.hr_sampler_name === "" && { "Hires sampler": "" }),
    "Hires prompt": ifDifferent(own.positive, written.positive),
    "Hires negative prompt": ifDifferent(own.negative, written.negative),
    ...(hires.cfgScale !== undefined && { "Hires CFG Scale": new PythonFloat(hires.cfgScale) }),
    ...hiresDistilledParameters(hires),
    "Hires schedule type": ifDifferent(other.schedulerLabel, sampler.schedulerLabel),
    ...hires.size.parameter,
    ...(fields.hr_second_pass_steps > 0 && { "Hires steps": fields.hr_second_pass_steps }),
    ...(fields.hr_upscaler && { "Hires upscaler": fields.hr_upscaler }),
  };
}

/** Forge's. */
function modulesParameters({ hr_additional_modules: modules }: ExtensionFields): Parameters {
  if (modules === undefined) return {};
  const names = modules.length === 0 ? ["Built-in"] : modules.map(fileStem);
  return Object.fromEntries(names.map((name, index) => [`Hires Module ${index + 1}`, name]));
}

const fileStem = (path: string) =>
  path
    .split(/[/\\]/)
    .at(-1)!
    .replace(/\.[^.]+$/, "");

/** Forge's. */
function hiresDistilledParameters({ distilledCfgScale, models: { kind } }: Hires): Parameters {
  if (distilledCfgScale === undefined || kind === undefined || !familyOf(kind).hasDistilledGuidance) return {};
  return { "Hires Distilled CFG Scale": new PythonFloat(distilledCfgScale) };
}

/** Only where a prompt has brackets: A1111 looks no further. */
export function emphasisParameters({ options }: SdapiRequest, { prompts }: Common): Parameters {
  const { emphasis = "Original" } = options;
  const hasBrackets = /[([]/.test(prompts.positive + prompts.negative);
  return hasBrackets && emphasis !== "Original" ? { Emphasis: emphasis } : {};
}

export function refinerParameters(
  fields: CommonFields,
  refiner: Refiner,
  { isHires, title }: { isHires: boolean; title: (models: Models) => string },
): Parameters {
  return {
    ...(refiner.switch.bySteps && { "Refiner switch by sampling steps": true }),
    ...(isHires &&
      refiner.passes !== "second" && {
        "Hires refiner": `${refiner.passes} pass${refiner.passes === "both" ? "es" : ""}`,
      }),
    Refiner: title(refiner.models),
    "Refiner switch at": fields.refiner_switch_at,
  };
}

/** Forge's. */
export function distilledParameters({ kind }: Models, { distilled_cfg_scale }: ExtensionFields): Parameters {
  if (kind === undefined || !familyOf(kind).hasDistilledGuidance) return {};
  return { "Distilled CFG Scale": new PythonFloat(distilled_cfg_scale ?? DEFAULT_DISTILLED_CFG) };
}
