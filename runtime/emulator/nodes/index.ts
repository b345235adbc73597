/** Every class that the emulator runs, by class type. */
import { BLENDING } from "./blend.ts";
import { DESCRIBED } from "./described.ts";
import { EDGES } from "./edges.ts";
import { GEOMETRY } from "./geometry.ts";
import { LATENT_LAYERS } from "./latent-layers.ts";
import { LATENTS } from "./latents.ts";
import { LOAD_AND_SAVE } from "./load-save.ts";
import { MASKS } from "./masks.ts";
import type { NodeImplementation } from "./node.ts";
import { SAMPLING } from "./sampling.ts";
import { VALUES } from "./values.ts";

export const NODES: Record<string, NodeImplementation> = {
  ...LOAD_AND_SAVE,
  ...GEOMETRY,
  ...EDGES,
  ...MASKS,
  ...BLENDING,
  ...VALUES,
  ...DESCRIBED,
  ...LATENTS,
  ...LATENT_LAYERS,
  ...SAMPLING,
};
