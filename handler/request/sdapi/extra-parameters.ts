/** What hires fix and the like add to A1111's `info` and infotext, by its names and in its order. */

import type { Hires, Refiner } from "../../../workflows/generation.ts";
import type { ResolvedSampler } from "../../../workflows/sampler-names.ts";
import type { Parameters } from "../../infotext/write.ts";
import type { CommonFields, Txt2ImgFields } from "./fields.ts";

const stem = (file: string) =>
  file
    .split("/")
    .at(-1)!
    .replace(/\.[^.]+$/, "");

interface HiresGeneration {
  fields: Txt2ImgFields;
  hires: Hires;
  /** Sampler and checkpoint of the first pass. */
  sampler: ResolvedSampler;
  checkpoint: string;
}

export function hiresParameters({ fields, hires, sampler, checkpoint }: HiresGeneration): Parameters {
  const other = hires.sampler;
  const ifDifferent = (value: string, first: string) => (value !== "" && value !== first ? value : null);
  return {
    "Denoising strength": hires.strength,
    ...(hires.models.checkpoint !== checkpoint && { "Hires checkpoint": stem(hires.models.checkpoint) }),
    ...(other.samplerName !== sampler.samplerName && { "Hires sampler": other.samplerName }),
    "Hires prompt": ifDifferent(fields.hr_prompt, fields.prompt),
    "Hires negative prompt": ifDifferent(fields.hr_negative_prompt, fields.negative_prompt),
    "Hires schedule type": ifDifferent(other.schedulerLabel, sampler.schedulerLabel),
    ...hires.size.parameter,
    ...(fields.hr_second_pass_steps > 0 && { "Hires steps": fields.hr_second_pass_steps }),
    ...(fields.hr_upscaler !== null && { "Hires upscaler": fields.hr_upscaler }),
  };
}

export function noiseParameters({ eta, samplerName }: ResolvedSampler): Parameters {
  if (eta === undefined) return {};
  return samplerName.startsWith("DDIM") ? { "Eta DDIM": eta } : { Eta: eta };
}

export function refinerParameters(fields: CommonFields, refiner: Refiner, isHires: boolean): Parameters {
  return {
    ...(refiner.switch.bySteps && { "Refiner switch by sampling steps": true }),
    ...(isHires &&
      refiner.passes !== "second" && {
        "Hires refiner": `${refiner.passes} pass${refiner.passes === "both" ? "es" : ""}`,
      }),
    Refiner: stem(refiner.models.checkpoint),
    "Refiner switch at": fields.refiner_switch_at,
  };
}
