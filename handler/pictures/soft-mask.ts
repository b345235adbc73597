/** What hides the original after soft inpainting: A1111's `apply_adaptive_masks` (extensions-builtin/soft-inpainting), from where the latents are compared. */
import { gaussianBlur } from "./box-blur.ts";
import type { Region } from "./crop-region.ts";
import { blankRaster, pasteRaster, type Raster, type Size, toGrey } from "./raster.ts";
import { CROP_AND_RESIZE, RESIZE_AND_FILL, resizePicture } from "./resize.ts";

/** In pixels of what is painted; A1111's own. */
const BLUR = 4;

/**
 * @param changed a pixel per cell of the latent, white where the picture changed.
 * @param painted the size that was asked for.
 * @param original the size of the picture that the result will be laid into, and what of it was painted, where that is not everything.
 */
export function softOverlayMask(
  changed: Raster,
  painted: Size,
  { size, region }: { size: Size; region: Region | undefined },
): Raster {
  const mask = gaussianBlur(resizePicture(RESIZE_AND_FILL, toGrey(changed), painted), BLUR);
  if (region === undefined) return mask;
  const { left, top, right, bottom } = region;
  const result = blankRaster(size, 1);
  pasteRaster(result, resizePicture(CROP_AND_RESIZE, mask, { width: right - left, height: bottom - top }), left, top);
  return result;
}
