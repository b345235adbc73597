/** What A1111's img2img starts from: pictures in the model's latent space, and where they are drawn over. */
import type { Link } from "../runtime/comfyui/graph.ts";
import type { GraphBuilder } from "./builder.ts";
import { addFullMask, addImageConditioning } from "./inpainting-model.ts";
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
  /** What an inpainting model is told. */
  conditioning: {
    /** A grey file of the input folder, of the pictures' size: white is drawn over. Undefined: all is. */
    mask?: string;
    /** How much of the picture the mask hides, 0 to 1. */
    weight: number;
  };
}

export interface StartMask {
  /** A grey file of the input folder: white is drawn over. Each latent cell has one value; other than black and white only for soft inpainting. */
  file: string;
  /** What stands in place of the picture under the mask. */
  content: "picture" | "latent noise" | "latent nothing";
  soft?: SoftInpainting;
}

interface Beginning {
  encoder: Link;
  emptyLatent: string;
  /** Lays the noise under the mask on an empty latent. */
  addNoise(zeros: Link): Link;
}

/** What picture `index` starts from. */
export function addStart(
  builder: GraphBuilder,
  start: StartPictures,
  index: number,
  { encoder, emptyLatent, addNoise }: Beginning,
): { latent: Link; soft?: SoftStart } {
  const pixels = addPicture(builder, start, index);
  let latent = builder.share("VAEEncode", { pixels, vae: encoder })(0);
  if (start.isStretched) {
    const stretch = { upscale_method: "bilinear", ...start.size, crop: "disabled" };
    latent = builder.share("LatentUpscale", { samples: latent, ...stretch })(0);
  }
  if (start.mask === undefined) return { latent };
  const mask = addMask(builder, start.mask.file);
  if (start.mask.content !== "picture") {
    const zeros = addZeros(builder, start, emptyLatent);
    const source = start.mask.content === "latent noise" ? addNoise(zeros) : zeros;
    const place = { x: 0, y: 0, resize_source: false };
    latent = builder.share("LatentCompositeMasked", { destination: latent, source, mask, ...place })(0);
  }
  // A noise mask would be laid on beside the soft one.
  if (start.mask.soft) return { latent, soft: { settings: start.mask.soft, original: latent, mask } };
  return { latent: builder.share("SetLatentNoiseMask", { samples: latent, mask })(0) };
}

/** The model as it draws from picture `index`. @param encoder VAE of the model that begins. */
export function addStartModel(
  builder: GraphBuilder,
  start: StartPictures,
  index: number,
  {
    model,
    encoder,
    soft,
    isInpaintingModel,
  }: { model: Link; encoder: Link; soft: SoftStart | undefined; isInpaintingModel: boolean },
): Link {
  const softened = soft ? addSoftModel(builder, model, soft) : model;
  if (!isInpaintingModel) return softened;
  const { mask, weight } = start.conditioning;
  return addImageConditioning(builder, softened, {
    vae: encoder,
    pixels: addPicture(builder, start, index),
    mask: mask === undefined ? addFullMask(builder, start.size) : addMask(builder, mask),
    weight,
  });
}

const addPicture = (builder: GraphBuilder, { files }: StartPictures, index: number): Link =>
  builder.share("LoadImage", { image: files[index % files.length]! })(0);

const addMask = (builder: GraphBuilder, file: string): Link =>
  builder.share("LoadImageMask", { image: file, channel: "red" })(0);

const addZeros = (builder: GraphBuilder, { size }: StartPictures, emptyLatent: string): Link =>
  builder.share(emptyLatent, { ...size, batch_size: 1 })(0);
