/** A1111's lists of scripts: those of its built-in ones whose work is done here, by the fields of the same names. */
import { SDAPI_SAMPLERS, SDAPI_SCHEDULERS } from "../../../../workflows/sdapi-samplers.ts";

/** The first has nothing to do: A1111 asks for the options of its own web page there. */
const NAMES = ["extra options", "refiner", "sampler", "seed"] as const;

export const SCRIPTS = { txt2img: NAMES, img2img: NAMES };

interface Limits {
  minimum?: number;
  maximum?: number;
  step?: number;
  choices?: readonly string[];
}

const argument = (label: string, value: unknown, { minimum, maximum, step, choices }: Limits = {}) => ({
  label,
  value,
  minimum: minimum ?? null,
  maximum: maximum ?? null,
  step: step ?? null,
  choices: choices ?? null,
});

/** @param checkpoints their titles. */
export function scriptInfo(checkpoints: readonly string[]): object[] {
  const samplers = SDAPI_SAMPLERS.filter(({ comfyui }) => comfyui).map(({ name }) => name);
  const schedulers = SDAPI_SCHEDULERS.map(({ label }) => label);
  const seedSize = { minimum: 0, maximum: 2048, step: 8 };
  const args: Record<(typeof NAMES)[number], object[]> = {
    "extra options": [],
    refiner: [
      argument("Refiner", false),
      argument("Checkpoint", "", { choices: checkpoints }),
      argument("Switch at", 0.8, { minimum: 0.01, maximum: 1, step: 0.01 }),
    ],
    sampler: [
      argument("Sampling steps", 20, { minimum: 1, maximum: 150, step: 1 }),
      argument("Sampling method", samplers[0], { choices: samplers }),
      argument("Schedule type", schedulers[0], { choices: schedulers }),
    ],
    seed: [
      argument("Seed", -1, { step: 1 }),
      argument("Extra", false),
      argument("Variation seed", -1, { step: 1 }),
      argument("Variation strength", 0, { minimum: 0, maximum: 1, step: 0.01 }),
      argument("Resize seed from width", 0, seedSize),
      argument("Resize seed from height", 0, seedSize),
    ],
  };
  return [false, true].flatMap((is_img2img) =>
    NAMES.map((name) => ({ name, is_alwayson: true, is_img2img, args: args[name] })),
  );
}
