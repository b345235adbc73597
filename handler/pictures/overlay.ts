/** The painted picture back into the original: A1111's `apply_overlay` (modules/processing.py), in Pillow's integer arithmetic. */
import type { Region } from "./crop-region.ts";
import { blankRaster, divide255, pasteRaster, type Raster, type Size } from "./raster.ts";
import { CROP_AND_RESIZE, resizePicture } from "./resize.ts";

/**
 * The result as A1111 returns it: the original where the mask is black, to the byte, and a blend where it is grey.
 * @param painted RGB.
 * @param original RGB.
 * @param mask Grey, of the original's size; white where the painted picture shows.
 * @param region Where in the original the painted picture belongs; without it both start at the top left, and the result has the painted one's size.
 */
export function applyOverlay(painted: Raster, original: Raster, mask: Raster, region: Region | undefined): Raster {
  const result = region ? uncrop(painted, region, original) : { ...painted, data: Uint8Array.from(painted.data) };
  const { left, top, right, bottom } = region ?? { left: 0, top: 0, right: painted.width, bottom: painted.height };
  for (let row = 0; row < Math.min(result.height, original.height); row++) {
    for (let column = 0; column < Math.min(result.width, original.width); column++) {
      const source = row * original.width + column;
      const opacity = 255 - mask.data[source]!;
      if (opacity === 0) continue;
      const isPainted = row >= top && row < bottom && column >= left && column < right;
      lay(result.data, (row * result.width + column) * 3, original.data, source * 3, opacity, isPainted);
    }
  }
  return result;
}

/** On black. */
function uncrop(painted: Raster, { left, top, right, bottom }: Region, size: Size): Raster {
  const result = blankRaster(size, 3);
  const resized = resizePicture(CROP_AND_RESIZE, painted, { width: right - left, height: bottom - top });
  pasteRaster(result, resized, left, top);
  return result;
}

/** A pixel of the original on one of the result, or on nothing. Its colours pass through a product with the opacity, as A1111's do, which costs precision where it is faint. */
function lay(
  into: Uint8Array,
  target: number,
  from: Uint8Array,
  source: number,
  opacity: number,
  isPainted: boolean,
): void {
  for (let channel = 0; channel < 3; channel++) {
    const colour = Math.min(255, Math.trunc((255 * divide255(from[source + channel]! * opacity)) / opacity));
    const blend = (colour * opacity + into[target + channel]! * (255 - opacity) + 128) * 128;
    into[target + channel] = isPainted ? ((blend >> 8) + blend) >> 15 : colour;
  }
}
