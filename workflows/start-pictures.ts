/** What A1111's img2img starts from: pictures in the model's latent space, and where they are drawn over. */
import type { Link } from "../runtime/comfyui/graph.ts";
import { exactInteger } from "../runtime/json.ts";
import type { GraphBuilder } from "./builder.ts";
import type { Guidance } from "./sampling.ts";
import { addSoftModel, type SoftInpainting, type SoftStart } from "./soft-inpainting.ts";

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
  /** A grey file of the input folder: white is drawn over. Each latent cell has one value; other than black and white only for soft inpainting. */
  file: string;
  /** What stands in place of the picture under the mask. */
  content: "picture" | "latent noise" | "latent nothing";
  /** The checkpoint was trained to see picture and mask (9 input channels). */
  isInpaintingModel: boolean;
  soft?: SoftInpainting;
}

/** What picture `index` starts from. @param seed of the noise under the mask. */
export function addStart(
  builder: GraphBuilder,
  start: StartPictures,
  index: number,
  { encoder, model, emptyLatent, seed }: { encoder: Link; model: Link; emptyLatent: string; seed: bigint },
): { latent: Link; soft?: SoftStart } {
  const pixels = addPicture(builder, start, index);
  let latent = builder.share("VAEEncode", { pixels, vae: encoder })(0);
  if (start.isStretched) {
    const stretch = { upscale_method: "bilinear", ...start.size, crop: "disabled" };
    latent = builder.share("LatentUpscale", { samples: latent, ...stretch })(0);
  }
  if (start.mask === undefined) return { latent };
  const mask = addMask(builder, start.mask);
  if (start.mask.content !== "picture") {
    const zeros = addZeros(builder, start, emptyLatent);
    const source = start.mask.content === "latent noise" ? addNoise(builder, zeros, model, seed) : zeros;
    const place = { x: 0, y: 0, resize_source: false };
    latent = builder.share("LatentCompositeMasked", { destination: latent, source, mask, ...place })(0);
  }
  // A noise mask would be laid on beside the soft one.
  if (start.mask.soft) return { latent, soft: { settings: start.mask.soft, original: latent, mask } };
  return { latent: builder.share("SetLatentNoiseMask", { samples: latent, mask })(0) };
}

/** What the model is told of the picture and its mask, beside the prompts. @param encoder of the model's own. */
export function addStartGuidance(
  builder: GraphBuilder,
  start: StartPictures,
  index: number,
  { guidance, encoder, soft }: { guidance: Guidance; encoder: Link; soft?: SoftStart | undefined },
): Guidance {
  const { mask } = start;
  const model = soft ? addSoftModel(builder, guidance.model, soft) : guidance.model;
  if (!mask?.isInpaintingModel) return { ...guidance, model };
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

/** Noise of one standard deviation, as the model's latents are scaled. */
function addNoise(builder: GraphBuilder, zeros: Link, model: Link, seed: bigint): Link {
  const noise = builder.share("RandomNoise", { noise_seed: exactInteger(seed) })(0);
  // From 1 to 0 in one step: the noise is laid on as strong as the difference.
  const sigmas = builder.share("KarrasScheduler", { steps: 1, sigma_max: 1, sigma_min: 1, rho: 7 })(0);
  return builder.share("AddNoise", { model, noise, sigmas, latent_image: zeros })(0);
}
