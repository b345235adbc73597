/** Requests that were made from the example in A1111's documentation. */
import type { Notes } from "./notes.ts";

/** In the documentation's example of A1111 every text is `string`, and every number that is not set is 0. */
const PLACEHOLDER = "string";
const ZERO_IF_EXAMPLE = ["eta", "s_noise", "refiner_switch_at", "denoising_strength", "initial_noise_multiplier"];
const PLACEHOLDER_FIELDS = [
  "sampler_name",
  "scheduler",
  "refiner_checkpoint",
  "firstpass_image",
  "hr_upscaler",
  "hr_checkpoint_name",
  "hr_sampler_name",
  "hr_scheduler",
  "mask",
  "latent_mask",
  "script_name",
  "infotext",
  "styles",
];

/** A request without the values that somebody left as they were in the documentation's example, each of which is noted. */
export function withoutPlaceholders(payload: Record<string, unknown>, notes: Notes): Record<string, unknown> {
  const isPlaceholder = (name: string) =>
    PLACEHOLDER_FIELDS.includes(name) &&
    [payload[name], (payload[name] as unknown[] | null)?.[0]].includes(PLACEHOLDER);
  const unset = PLACEHOLDER_FIELDS.filter(isPlaceholder);
  if (unset.length === 0) return payload;
  unset.push(...ZERO_IF_EXAMPLE.filter((name) => payload[name] === 0));
  for (const name of unset) notes.add(`${name}: taken as not set, as it is from the documentation's example`);
  return Object.fromEntries(Object.entries(payload).filter(([name]) => !unset.includes(name)));
}
