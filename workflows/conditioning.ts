/** Planned prompts as ComfyUI's conditioning nodes. */
import type { Link } from "../runtime/comfyui/graph.ts";
import type { GraphBuilder } from "./builder.ts";
import type { PlannedPart, PlannedRange } from "./prompt-plan.ts";

/** A prompt whose ranges take turns. A1111 keeps the first chunk's pooled vector, as ConditioningConcat does. */
export function addPrompt(builder: GraphBuilder, ranges: readonly PlannedRange[], clip: Link): Link {
  const conditionings = ranges.map(({ start, end, chunks }) => {
    const encoded = chunks.map((text) => builder.share("CLIPTextEncode", { text, clip })(0));
    const whole = encoded.reduce((to, from) =>
      builder.share("ConditioningConcat", { conditioning_to: to, conditioning_from: from })(0),
    );
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
  clip: Link,
): { conditioning: Link; cfgFactor: number } {
  const total = parts.reduce((sum, { weight }) => sum + weight, 0);
  const largest = Math.max(...parts.map(({ weight }) => weight));
  const effective = total > 0 ? parts.filter(({ weight }) => weight > 0) : parts.slice(0, 1);
  const conditionings = effective.map(({ weight, ranges }) => {
    const conditioning = addPrompt(builder, ranges, clip);
    const strength = total > 0 ? weight / largest : 1;
    return strength === 1 ? conditioning : builder.share("ConditioningSetAreaStrength", { conditioning, strength })(0);
  });
  return { conditioning: combine(builder, conditionings), cfgFactor: total };
}

const combine = (builder: GraphBuilder, conditionings: readonly Link[]): Link =>
  conditionings.reduce((first, second) =>
    builder.share("ConditioningCombine", { conditioning_1: first, conditioning_2: second })(0),
  );
