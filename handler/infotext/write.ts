/** Writes infotexts: the parameters of a picture as text, the way A1111 v1.10.1 does (modules/processing.py, create_infotext). */
import { type PythonFloat, strip } from "./python.ts";

export type ParameterValue = string | number | bigint | boolean | PythonFloat | null | undefined;
/** By A1111's labels; what is null or undefined is not written. */
export type Parameters = Record<string, ParameterValue>;

export interface Infotext {
  prompt: string;
  negativePrompt: string;
  parameters: Parameters;
}

/** These come first, in this order, wherever they stand in the record. */
const FIRST = [
  "Steps",
  "Sampler",
  "Schedule type",
  "CFG scale",
  "Image CFG scale",
  "Seed",
  "Face restoration",
  "Size",
  "Model hash",
  "Model",
  "FP8 weight",
  "Cache FP16 weight for LoRA",
  "VAE hash",
  "VAE",
  "Variation seed",
  "Variation seed strength",
  "Seed resize from",
  "Denoising strength",
  "Conditional mask weight",
  "Clip skip",
  "ENSD",
  "Token merging ratio",
  "Token merging ratio hr",
  "Init image hash",
  "RNG",
  "Tiling",
] as const;
/** These come last; all others stand between, in the record's order. */
const LAST = ["Version", "User"] as const;

const HAS_A_PLACE: ReadonlySet<string> = new Set([...FIRST, ...LAST]);

/** Prompt, negative prompt if there is one, and a line of parameters, as the picture's own values are. */
export function writeInfotext({ prompt, negativePrompt, parameters }: Infotext): string {
  const between = Object.keys(parameters).filter((label) => !HAS_A_PLACE.has(label));
  const written = [...FIRST, ...between, ...LAST].flatMap((label) => {
    const value = parameters[label];
    return value === null || value === undefined ? [] : [writeParameter(label, value)];
  });
  const negative = negativePrompt === "" ? "" : `\nNegative prompt: ${negativePrompt}`;
  return strip(`${prompt}${negative}\n${written.join(", ")}`);
}

function writeParameter(label: string, value: NonNullable<ParameterValue>): string {
  const text = typeof value === "boolean" ? (value ? "True" : "False") : String(value);
  return text === label ? label : `${label}: ${quote(text)}`;
}

/** A value that would be taken for several is written as JSON. */
export const quote = (value: string): string => (/[,\n:]/.test(value) ? JSON.stringify(value) : value);
