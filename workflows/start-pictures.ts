/** What A1111's img2img starts from: pictures in the model's latent space, and where they are drawn over. */
import type { Link } from "../runtime/comfyui/graph.ts";
import type { GraphBuilder } from "./builder.ts";
import type { Guidance } from "./sampling.ts";

export interface StartPictures {
  /** Files of the input folder, sides multiples of 8; with several, picture k of the batch starts from file k. */
  files: readonly string[];
  /** Pictures of a batch. */
  batchSize: number;
  /** A1111's denoising strength, 0 to 1. */
  strength: number;
  /** A1111's option `img2img_fix_steps`: the strength shortens the way, not the number of steps. */
  isFixedSteps: boolean;
  /** Pixels; a picture's latent is stretched where it has another size (A1111's fourth resize mode). */
  size: { width: number; height: number };
  isStretched: boolean;
  mask?: StartMask;
}

export interface StartMask {
  /** A grey file of the input folder: white is drawn over. Each latent cell has one value. */
  file: string;
  /** What stands in place of the picture under the mask. */
  content: "picture" | "latent noise" | "latent nothing";
  /** The checkpoint was trained to see picture and mask (9 input channels). */
  isInpaintingModel: boolean;
  /** A grey mask: how much a cell may change at which step (soft inpainting). */
  isSoft: boolean;
}

interface Beginning {
  encoder: Link;
  emptyLatent: string;
  /** Lays the noise under the mask on an empty latent. */
  addNoise(zeros: Link): Link;
}

/** The latent that picture `index` starts from. */
export function addStart(
  builder: GraphBuilder,
  start: StartPictures,
  index: number,
  { encoder, emptyLatent, addNoise }: Beginning,
): Link {
  const pixels = addPicture(builder, start, index);
  let latent = builder.share("VAEEncode", { pixels, vae: encoder })(0);
  if (start.isStretched) {
    const stretch = { upscale_method: "bilinear", ...start.size, crop: "disabled" };
    latent = builder.share("LatentUpscale", { samples: latent, ...stretch })(0);
  }
  if (start.mask === undefined) return latent;
  const mask = addMask(builder, start.mask);
  if (start.mask.content !== "picture") {
    const zeros = addZeros(builder, start, emptyLatent);
    const source = start.mask.content === "latent noise" ? addNoise(zeros) : zeros;
    const place = { x: 0, y: 0, resize_source: false };
    latent = builder.share("LatentCompositeMasked", { destination: latent, source, mask, ...place })(0);
  }
  return builder.share("SetLatentNoiseMask", { samples: latent, mask })(0);
}

/** What the model is told of the picture and its mask, beside the prompts. */
export function addStartGuidance(
  builder: GraphBuilder,
  start: StartPictures,
  index: number,
  guidance: Guidance,
  encoder: Link,
): Guidance {
  const { mask } = start;
  if (mask === undefined) return guidance;
  const model = mask.isSoft ? builder.share("DifferentialDiffusion", { model: guidance.model })(0) : guidance.model;
  if (!mask.isInpaintingModel) return { ...guidance, model };
  const { positive, negative } = guidance;
  const conditioning = builder.share("InpaintModelConditioning", {
    positive,
    negative,
    vae: encoder,
    pixels: addPicture(builder, start, index),
    mask: addMask(builder, mask),
    noise_mask: false,
  });
  return { ...guidance, model, positive: conditioning(0), negative: conditioning(1) };
}

const addPicture = (builder: GraphBuilder, { files }: StartPictures, index: number): Link =>
  builder.share("LoadImage", { image: files[index % files.length]! })(0);

const addMask = (builder: GraphBuilder, { file }: StartMask): Link =>
  builder.share("LoadImageMask", { image: file, channel: "red" })(0);

const addZeros = (builder: GraphBuilder, { size }: StartPictures, emptyLatent: string): Link =>
  builder.share(emptyLatent, { ...size, batch_size: 1 })(0);
