/** From the pictures of an img2img request to those that the engine gets, and back: `StableDiffusionProcessingImg2Img.init` of A1111 (modules/processing.py), as far as it is about pixels. */
import { EndpointError } from "../../runtime/errors.ts";
import { expandCropRegion, getCropRegion, type Region } from "./crop-region.ts";
import { fillMasked } from "./fill.ts";
import { createBinaryMask, invertMask, LATENT_SCALE, latentMask, overlayMask, roundMask } from "./mask.ts";
import { blurMask } from "./mask-blur.ts";
import { applyOverlay } from "./overlay.ts";
import { type Colour, cropRaster, flatten, isSameSize, type Raster, type Size } from "./raster.ts";
import { RESIZE_AND_FILL, resizePicture } from "./resize.ts";
import { softOverlayMask } from "./soft-mask.ts";

/** `resize_mode` "just resize (latent upscale)": pictures keep their size, the latent is resized. */
export const LATENT_UPSCALE = 3;
/** `inpainting_fill` that leaves what is under the mask; the others take its colours away. */
const ORIGINAL = 1;
const MASKED_CONTENT: Record<number, string> = { 0: "fill", 2: "latent noise", 3: "latent nothing" };

/** A1111's fields, by its names in camel case. */
export interface InpaintRequest extends Size {
  /** `init_images`; at least one. */
  pictures: readonly Raster[];
  mask?: Raster | undefined;
  resizeMode: number;
  maskBlurX: number;
  maskBlurY: number;
  /** `inpainting_mask_invert`. */
  invert: boolean;
  /** `inpaint_full_res`: only the masked area is painted, in full size. */
  fullRes: boolean;
  /** `inpaint_full_res_padding`, in pixels. */
  padding: number;
  /** `inpainting_fill`. */
  fill: number;
  maskRound: boolean;
  /** Of transparent pictures: the option `img2img_background_color`. Default: white. */
  background?: Colour | undefined;
}

export interface PreparedPictures {
  /** To be encoded; RGB, as many as in the request, sides multiples of 8. Their latents are to be resized where they have not the size. */
  pictures: Raster[];
  /** The latent's mask, of the size, grey and constant per latent pixel; missing where all of the picture is painted. */
  mask: Raster | undefined;
  /** The mask before that, of the size, and black and white where masks are rounded: what inpainting models see. */
  imageMask: Raster | undefined;
  /** Of the latent, in pixels. */
  size: Size;
  /** What is painted of the mask's picture, where that is not everything. */
  region: Region | undefined;
  /** What the infotext says about it, in A1111's order (`extra_generation_params`). */
  infotext: Record<string, string | number | null>;
  /** What A1111 tells the caller. */
  notes: string[];
  /**
   * The picture to return for one that the engine made, pixels outside the mask as they were.
   * @param index Of it in its batch.
   * @param changed After soft inpainting, where it shows, in the place of the mask: white, with a pixel per cell of the latent.
   */
  restore(painted: Raster, index: number, changed?: Raster): Raster;
}

/** @throws EndpointError `invalid_request` for sizes that do not go together. */
export async function prepareInpaint(request: InpaintRequest): Promise<PreparedPictures> {
  const infotext: PreparedPictures["infotext"] = {};
  const masks = request.mask && maskStages(request.mask, request, infotext);
  const isBlank = request.mask !== undefined && masks === undefined;
  const originals: Original[] = [];
  const pictures: Raster[] = [];
  let hiding = masks?.hiding;
  for (const source of request.pictures) {
    const original = resized(flatten(source, request.background), request, masks?.region);
    // Once resized for one picture, it stays so for the next, as in A1111.
    if (hiding && !isSameSize(hiding, original)) hiding = resizePicture(request.resizeMode, hiding, original);
    if (hiding) originals.push({ picture: original, hiding });
    pictures.push(cropToLatent(await encoded(original, request, masks)));
  }
  if (masks && request.fill in MASKED_CONTENT) infotext["Masked content"] = MASKED_CONTENT[request.fill]!;
  const size = latentSize(request);
  return {
    pictures,
    mask: masks && latentMask(masks.painted, size, request.maskRound),
    imageMask: masks && cropToLatent(request.maskRound ? roundMask(masks.painted) : masks.painted),
    size,
    region: masks?.region,
    infotext,
    notes: isBlank ? ['Unable to perform "Inpaint Only mask" because mask is blank, switch to img2img mode.'] : [],
    restore(painted, index, changed) {
      const original = originals[index % originals.length];
      if (original === undefined) return painted;
      const region = masks?.region;
      const hiding = changed ? softOverlayMask(changed, request, { size: original.picture, region }) : original.hiding;
      return applyOverlay(painted, original.picture, hiding, region);
    },
  };
}

interface Original {
  picture: Raster;
  /** White where the painted picture will show. */
  hiding: Raster;
}

interface MaskStages {
  /** Of the painted size. */
  painted: Raster;
  /** Of the original's size, unless it came in another. */
  hiding: Raster;
  /** What is painted, where that is not everything. */
  region: Region | undefined;
}

/** @returns undefined where only the masked area is wanted and there is none. */
function maskStages(
  source: Raster,
  request: InpaintRequest,
  infotext: PreparedPictures["infotext"],
): MaskStages | undefined {
  const { maskBlurX, maskBlurY } = request;
  const binary = createBinaryMask(source, request.maskRound);
  if (request.invert) infotext["Mask mode"] = "Inpaint not masked";
  const mask = blurMask(request.invert ? invertMask(binary) : binary, maskBlurX, maskBlurY);
  // A1111 has one name for the two, and none to tell where they differ.
  if (maskBlurX > 0 || maskBlurY > 0) infotext["Mask blur"] = maskBlurX === maskBlurY ? maskBlurX : null;
  if (!request.fullRes) {
    const painted = resizePicture(request.resizeMode, mask, request);
    return { painted, hiding: overlayMask(painted), region: undefined };
  }
  const box = getCropRegion(mask, request.padding);
  if (box === undefined) return undefined;
  const region = expandCropRegion(box, request, mask);
  infotext["Inpaint area"] = "Only masked";
  infotext["Masked area padding"] = request.padding;
  return { painted: resizePicture(RESIZE_AND_FILL, cropTo(mask, region), request), hiding: mask, region };
}

function cropTo(source: Raster, { left, top, right, bottom }: Region): Raster {
  return cropRaster(source, left, top, { width: right - left, height: bottom - top });
}

/** What the result will be laid into. */
function resized(picture: Raster, request: InpaintRequest, region: Region | undefined): Raster {
  const staysAsItIs = region !== undefined || request.resizeMode === LATENT_UPSCALE;
  return staysAsItIs ? picture : resizePicture(request.resizeMode, picture, request);
}

async function encoded(original: Raster, request: InpaintRequest, masks: MaskStages | undefined): Promise<Raster> {
  if (masks === undefined) return original;
  const picture = masks.region ? resizePicture(RESIZE_AND_FILL, cropTo(original, masks.region), request) : original;
  if (request.fill === ORIGINAL) return picture;
  if (!isSameSize(picture, masks.painted))
    throw new EndpointError(
      "invalid_request",
      `inpainting_fill ${request.fill} with resize_mode ${LATENT_UPSCALE} needs a picture of ${request.width}x${request.height}, not ${picture.width}x${picture.height}; A1111 fails on it too`,
    );
  return fillMasked(picture, masks.painted);
}

/** A picture that is no multiple of 8 loses its right and lower edge, as in A1111's encoder; ComfyUI's would cut at all sides. */
function cropToLatent(picture: Raster): Raster {
  const size = latentSize(picture);
  return isSameSize(size, picture) ? picture : cropRaster(picture, 0, 0, size);
}

function latentSize({ width, height }: Size): Size {
  const whole = (side: number) => Math.floor(side / LATENT_SCALE) * LATENT_SCALE;
  if (whole(width) * whole(height) === 0)
    throw new EndpointError("invalid_request", `${width}x${height} is too small: a picture has at least 8x8 pixels`);
  return { width: whole(width), height: whole(height) };
}
