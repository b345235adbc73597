/** Masks, white where the picture is to be painted anew: A1111's `create_binary_mask` and what its img2img makes of a mask. */
import { blankRaster, type Raster, type Size, toGrey } from "./raster.ts";
import { resample } from "./resample.ts";

/** Pixels of the picture per pixel of the latent, in each direction. */
export const LATENT_SCALE = 8;

/** The alpha where there is any (rounded: white above 128), else the brightness. */
export function createBinaryMask(source: Raster, isRounded: boolean): Raster {
  const alpha = source.channels === 4 ? alphaOf(source) : undefined;
  if (alpha === undefined || alpha.data.every((value) => value === 255)) return toGrey(source);
  return isRounded ? mapMask(alpha, (value) => (value > 128 ? 255 : 0)) : alpha;
}

function alphaOf(source: Raster): Raster {
  const alpha = blankRaster(source, 1);
  for (let pixel = 0; pixel < alpha.data.length; pixel++) alpha.data[pixel] = source.data[pixel * 4 + 3]!;
  return alpha;
}

export const invertMask = (mask: Raster) => mapMask(mask, (value) => 255 - value);

/** To black and white. */
export const roundMask = (mask: Raster) => mapMask(mask, (value) => (value > 127 ? 255 : 0));

/** What hides the original in the end, where the whole picture is painted: the mask, twice as white. */
export const overlayMask = (mask: Raster) => mapMask(mask, (value) => Math.min(255, value * 2));

/**
 * The mask as the latent sees it, at the picture's size and constant per latent pixel, so that no scaling of the engine's changes it.
 * @param size Of the picture; multiples of 8.
 * @param isRounded To black and white.
 */
export function latentMask(mask: Raster, size: Size, isRounded: boolean): Raster {
  const latent = { width: size.width / LATENT_SCALE, height: size.height / LATENT_SCALE };
  const small = resample(mask, latent, "bicubic");
  const blocks = isRounded ? roundMask(small) : small;
  const result = blankRaster(size, 1);
  for (let row = 0, target = 0; row < size.height; row++) {
    const line = Math.trunc(row / LATENT_SCALE) * latent.width;
    for (let block = 0; block < latent.width; block++, target += LATENT_SCALE)
      result.data.fill(blocks.data[line + block]!, target, target + LATENT_SCALE);
  }
  return result;
}

function mapMask(mask: Raster, change: (value: number) => number): Raster {
  return { ...mask, data: mask.data.map(change) };
}
