/** Planned prompts as ComfyUI's conditioning nodes. */
import type { Link } from "../runtime/comfyui/graph.ts";
import type { GraphBuilder } from "./builder.ts";
import { familyOf, type ModelKind } from "./model-family.ts";
import type { PlannedPart, PlannedRange } from "./prompt-plan.ts";

/** Turns a text of ComfyUI's syntax into a conditioning. */
export type TextEncoder = (text: string) => Link;

export interface EncodingSize {
  /** Pixels as the request has them, which SDXL is told along with the text. */
  asked: readonly [width: number, height: number];
  /** Of the latent, in pixels, which ComfyUI tells unless it is told otherwise. */
  drawn: readonly [width: number, height: number];
}

/** What SDXL's refiner is told along with each prompt: how well the picture is liked. */
export interface AestheticScores {
  positive: number;
  negative: number;
}

/** A1111's. */
export const AESTHETIC_SCORES: AestheticScores = { positive: 6, negative: 2.5 };

/** How A1111 encodes for a kind of model: its modules/sd_models_xl.py get_learned_conditioning. */
export function textEncoder(
  builder: GraphBuilder,
  clip: Link,
  kind: ModelKind,
  { asked, drawn }: EncodingSize,
  { side, scores }: { side: "positive" | "negative"; scores: AestheticScores },
): TextEncoder {
  const [width, height] = asked;
  if (kind.family === "sdxlRefiner") {
    const ascore = scores[side];
    return (text) => builder.share("CLIPTextEncodeSDXLRefiner", { ascore, width, height, text, clip })(0);
  }
  if (kind.family === "sdxl" && (width !== drawn[0] || height !== drawn[1])) {
    const sizes = { width, height, crop_w: 0, crop_h: 0, target_width: width, target_height: height };
    return (text) => builder.share("CLIPTextEncodeSDXL", { ...sizes, text_g: text, text_l: text, clip })(0);
  }
  return (text) => builder.share("CLIPTextEncode", { text, clip })(0);
}

/** A negative prompt, which is nothing at all for some kinds of model where it has no text. */
export function addNegative(
  builder: GraphBuilder,
  ranges: readonly PlannedRange[],
  encode: TextEncoder,
  kind: ModelKind,
): Link {
  const conditioning = addPrompt(builder, ranges, encode);
  const isEmpty = ranges.every(({ chunks }) => chunks.every((text) => text === ""));
  return isEmpty && familyOf(kind).zeroesEmptyNegative ? addNothing(builder, conditioning) : conditioning;
}

/** A conditioning like another, of zeros. */
export const addNothing = (builder: GraphBuilder, conditioning: Link): Link =>
  builder.share("ConditioningZeroOut", { conditioning })(0);

/** A prompt whose ranges take turns. A1111 keeps the first chunk's pooled vector, as ConditioningConcat does. */
export function addPrompt(builder: GraphBuilder, ranges: readonly PlannedRange[], encode: TextEncoder): Link {
  const conditionings = ranges.map(({ start, end, chunks }) => {
    const whole = chunks
      .map(encode)
      .reduce((to, from) => builder.share("ConditioningConcat", { conditioning_to: to, conditioning_from: from })(0));
    if (start === 0 && end === 1) return whole;
    return builder.share("ConditioningSetTimestepRange", { conditioning: whole, start, end })(0);
  });
  return combine(builder, conditionings);
}

/**
 * Prompts joined by AND. A1111 adds up weight x scale x (prompt - negative prompt) over the parts; ComfyUI takes the mean of the parts,
 * weighted by strength, and scales that: the same when the scale is multiplied by the sum of the weights.
 * @returns also that factor.
 */
export function addComposition(
  builder: GraphBuilder,
  parts: readonly PlannedPart[],
  encode: TextEncoder,
): { conditioning: Link; cfgFactor: number } {
  const total = parts.reduce((sum, { weight }) => sum + weight, 0);
  const largest = Math.max(...parts.map(({ weight }) => weight));
  const effective = total > 0 ? parts.filter(({ weight }) => weight > 0) : parts.slice(0, 1);
  const conditionings = effective.map(({ weight, ranges }) => {
    const conditioning = addPrompt(builder, ranges, encode);
    const strength = total > 0 ? weight / largest : 1;
    return strength === 1 ? conditioning : builder.share("ConditioningSetAreaStrength", { conditioning, strength })(0);
  });
  return { conditioning: combine(builder, conditionings), cfgFactor: total };
}

const combine = (builder: GraphBuilder, conditionings: readonly Link[]): Link =>
  conditionings.reduce((first, second) =>
    builder.share("ConditioningCombine", { conditioning_1: first, conditioning_2: second })(0),
  );
