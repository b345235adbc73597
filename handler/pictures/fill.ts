/** A1111's `masking.fill`: colours from around the mask, spread into it by blurs of many sizes. */
import { setImmediate } from "node:timers/promises";
import { gaussianBlur } from "./box-blur.ts";
import { blankRaster, divide255, type Raster } from "./raster.ts";

/** Standard deviation in pixels, and how often the blurred picture is laid on the ones before it. */
const LAYERS = [
  [256, 1],
  [64, 1],
  [16, 2],
  [4, 4],
  [2, 2],
  [0, 1],
] as const;

/** RGB; as it was where the mask is black. @param mask Grey, of the picture's size. */
export async function fillMasked(picture: Raster, mask: Raster): Promise<Raster> {
  const filled = { ...picture, data: Uint8Array.from(picture.data) };
  const unmasked = premultiplied(picture, mask);
  const result = blankRaster(picture, 4);
  for (const [radius, repeats] of LAYERS) {
    // Half a second in all for a large picture: others get their turn in between.
    await setImmediate();
    const { data } = gaussianBlur(unmasked, radius);
    for (let pixel = 0; pixel < mask.data.length; pixel++)
      if (mask.data[pixel]! > 0) layOver(result.data, data, pixel * 4, repeats);
  }
  for (let pixel = 0; pixel < mask.data.length; pixel++)
    if (mask.data[pixel]! > 0) filled.data.set(result.data.subarray(pixel * 4, pixel * 4 + 3), pixel * 3);
  return filled;
}

/** RGB times opacity, and opacity. */
function premultiplied(picture: Raster, mask: Raster): Raster {
  const result = blankRaster(picture, 4);
  for (let pixel = 0; pixel < mask.data.length; pixel++) {
    const opacity = 255 - mask.data[pixel]!;
    for (let channel = 0; channel < 3; channel++)
      result.data[pixel * 4 + channel] = divide255(picture.data[pixel * 3 + channel]! * opacity);
    result.data[pixel * 4 + 3] = opacity;
  }
  return result;
}

/** A pixel with colours times opacity on one with straight alpha, several times (libImaging/AlphaComposite.c). */
function layOver(into: Uint8Array, from: Uint8Array, at: number, repeats: number): void {
  const opacity = from[at + 3]!;
  if (opacity === 0) return;
  const red = straight(from[at]!, opacity);
  const green = straight(from[at + 1]!, opacity);
  const blue = straight(from[at + 2]!, opacity);
  for (let time = 0; time < repeats; time++) {
    const together = opacity * 255 + into[at + 3]! * (255 - opacity);
    const share = Math.trunc((opacity * 255 * 255 * 128) / together);
    into[at] = mix(red, into[at]!, share);
    into[at + 1] = mix(green, into[at + 1]!, share);
    into[at + 2] = mix(blue, into[at + 2]!, share);
    into[at + 3] = divide255(together);
  }
}

const straight = (colour: number, opacity: number) => Math.min(255, Math.trunc((255 * colour) / opacity));

/** @param share Of the upper colour, as a part of 255 * 128. */
function mix(upper: number, lower: number, share: number): number {
  const sum = upper * share + lower * (255 * 128 - share) + (128 << 7);
  return ((sum >> 8) + sum) >> 15;
}
