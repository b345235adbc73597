/** What models with channels for a mask and the picture under it are told: A1111's image conditioning. */
import type { Link } from "../runtime/comfyui/graph.ts";
import type { GraphBuilder } from "./builder.ts";

export interface ImageConditioning {
  vae: Link;
  /** Sides multiples of 8. */
  pixels: Link;
  /** White is drawn over; of the pixels' size. */
  mask: Link;
  /** How much of the picture the mask hides, 0 to 1: A1111's `inpainting_mask_weight`. */
  weight: number;
}

/** The node is ours: see runtime/comfyui_nodes/comfy_endpoint/inpaint_model.py. */
export const addImageConditioning = (builder: GraphBuilder, model: Link, conditioning: ImageConditioning): Link =>
  builder.share("ComfyEndpointInpaintModel", { model, ...conditioning })(0);

/** That all of a picture of the size is masked. */
export function addBlankConditioning(
  builder: GraphBuilder,
  model: Link,
  { vae, size: [width, height] }: { vae: Link; size: readonly [width: number, height: number] },
): Link {
  const pixels = builder.share("EmptyImage", { width, height, batch_size: 1, color: 0 })(0);
  return addImageConditioning(builder, model, {
    vae,
    pixels,
    mask: addFullMask(builder, { width, height }),
    weight: 1,
  });
}

export const addFullMask = (builder: GraphBuilder, size: { width: number; height: number }): Link =>
  builder.share("SolidMask", { value: 1, ...size })(0);
