/** Fields that A1111 has not and some of its clients send. */
import * as z from "zod";
import { float, integer, text } from "./values.ts";

const orUnset = <T extends z.ZodType>(schema: T) => z.preprocess((value) => value ?? undefined, schema.optional());

export const extensionSchema = z.object({
  clip_skip: orUnset(integer(0, 24)),
  distilled_cfg_scale: orUnset(float(0, 100)),
  hr_cfg: orUnset(float(0, 100)),
  hr_distilled_cfg: orUnset(float(0, 100)),
  hr_additional_modules: orUnset(z.array(text)),
  loras: orUnset(
    z.array(z.object({ name: text, strength_model: float().default(1), strength_clip: float().optional() })),
  ),
});

export type ExtensionFields = z.output<typeof extensionSchema>;
