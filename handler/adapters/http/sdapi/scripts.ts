/** A1111's lists of scripts: those of its built-in ones whose work is done here, by the fields of the same names. */
import { SDAPI_SCHEDULERS } from "../../../../workflows/sdapi-samplers.ts";

/** The first has nothing to do: A1111 asks for the options of its own web page there. */
const EXTRA_OPTIONS = "extra options";
const SOFT_INPAINTING = "soft inpainting";
const OF_BOTH = ["refiner", "sampler", "seed"] as const;

/** @param hasSoftInpainting whether this ComfyUI has the nodes. */
export const scriptNames = (hasSoftInpainting: boolean): Record<"txt2img" | "img2img", readonly Name[]> => ({
  txt2img: [EXTRA_OPTIONS, ...OF_BOTH],
  img2img: [EXTRA_OPTIONS, ...(hasSoftInpainting ? ([SOFT_INPAINTING] as const) : []), ...OF_BOTH],
});

type Name = (typeof OF_BOTH)[number] | typeof EXTRA_OPTIONS | typeof SOFT_INPAINTING;

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

interface Choices {
  /** By their titles. */
  checkpoints: readonly string[];
  samplers: readonly string[];
  hasSoftInpainting: boolean;
}

/** Each script of each tab with its arguments, as A1111 describes them. */
export function scriptInfo({ checkpoints, samplers, hasSoftInpainting }: Choices): object[] {
  const schedulers = SDAPI_SCHEDULERS.map(({ label }) => label);
  const seedSize = { minimum: 0, maximum: 2048, step: 8 };
  const args: Record<Name, object[]> = {
    [EXTRA_OPTIONS]: [],
    [SOFT_INPAINTING]: [
      argument("Soft inpainting", false),
      argument("Schedule bias", 1, { minimum: 0, maximum: 8, step: 0.1 }),
      argument("Preservation strength", 0.5, { minimum: 0, maximum: 8, step: 0.05 }),
      argument("Transition contrast boost", 4, { minimum: 1, maximum: 32, step: 0.5 }),
      argument("Mask influence", 0, { minimum: 0, maximum: 1, step: 0.05 }),
      argument("Difference threshold", 0.5, { minimum: 0, maximum: 8, step: 0.25 }),
      argument("Difference contrast", 2, { minimum: 0, maximum: 8, step: 0.25 }),
    ],
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
  const { txt2img, img2img } = scriptNames(hasSoftInpainting);
  const describe = (is_img2img: boolean) => (name: Name) => ({ name, is_alwayson: true, is_img2img, args: args[name] });
  return [...txt2img.map(describe(false)), ...img2img.map(describe(true))];
}
