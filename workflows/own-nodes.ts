/** Our own nodes for ComfyUI (runtime/comfyui_nodes), which every engine has that this product starts. */
import type { Catalogue } from "../runtime/comfyui/catalogue.ts";

const FOR_SAMPLING = ["ComfyEndpointNoise", "ComfyEndpointSigmas", "ComfyEndpointSampler"];

/** Whether the engine can draw as A1111 does, see `sampling.ts`. */
export const hasSamplingNodes = (catalogue: Catalogue): boolean =>
  FOR_SAMPLING.every((classType) => catalogue.has(classType));
