/** What A1111's extras do with the pixels of a picture (scripts/postprocessing_upscale.py, modules/upscaler.py), as Pillow does it. */
import { setImmediate as turn } from "node:timers/promises";
import { enlargement } from "../../workflows/upscalers.ts";
import { blankRaster, cropRaster, divide255, isSameSize, pasteRaster, type Raster, type Size, toRgb } from "./raster.ts";
import { resample } from "./resample.ts";

/** So many pixels are worked on before others get their turn: some tens of milliseconds. */
const PIXELS_PER_TURN = 2 ** 20;

/** By Lanczos or Nearest: to the scaled size, and from there to whole cells by Lanczos. */
export async function upscalePlain(source: Raster, method: "lanczos" | "nearest", scale: number): Promise<Raster> {
  const { runs, ...wanted } = enlargement(source.width, source.height, scale, scale);
  if (runs === 0) return resizeLanczos(source, wanted);
  const size = { width: Math.trunc(source.width * scale), height: Math.trunc(source.height * scale) };
  const larger = method === "nearest" ? resizeNearest(source, size) : await resizeLanczos(source, size);
  return resizeLanczos(larger, wanted);
}

/** Pillow's LANCZOS; with alpha, colours count by how visible they are. */
export async function resizeLanczos(source: Raster, size: Size): Promise<Raster> {
  if (isSameSize(source, size)) return source;
  if (source.channels !== 4) return resampleInStrips(source, size);
  const { colours, alpha } = premultiply(source);
  return unpremultiply(await resampleInStrips(colours, size), await resampleInStrips(alpha, size));
}

/** The same as at once, across and then down, with turns for others in between. */
async function resampleInStrips(source: Raster, { width, height }: Size): Promise<Raster> {
  const { channels } = source;
  const rows = Math.max(1, Math.floor(PIXELS_PER_TURN / Math.max(source.width, width)));
  const wide = blankRaster({ width, height: source.height }, channels);
  for (let top = 0; top < source.height; top += rows) {
    const strip = cropRaster(source, 0, top, { width: source.width, height: Math.min(rows, source.height - top) });
    pasteRaster(wide, resample(strip, { width, height: strip.height }, "lanczos"), 0, top);
    await turn();
  }
  if (height === source.height) return wide;
  const result = blankRaster({ width, height }, channels);
  const step = source.height / height;
  for (let top = 0; top < height; top += rows) {
    const bottom = Math.min(height, top + rows);
    const box: [number, number] = [top * step, bottom === height ? source.height : bottom * step];
    pasteRaster(result, resample(wide, { width, height: bottom - top }, "lanczos", [[0, width], box]), 0, top);
    await turn();
  }
  return result;
}

/** Pillow's RGBA to RGBa. */
function premultiply(source: Raster): { colours: Raster; alpha: Raster } {
  const colours = blankRaster(source, 3);
  const alpha = blankRaster(source, 1);
  for (let pixel = 0; pixel < alpha.data.length; pixel++) {
    const opacity = source.data[pixel * 4 + 3]!;
    alpha.data[pixel] = opacity;
    for (let band = 0; band < 3; band++)
      colours.data[pixel * 3 + band] = divide255(source.data[pixel * 4 + band]! * opacity);
  }
  return { colours, alpha };
}

function unpremultiply(colours: Raster, alpha: Raster): Raster {
  const result = blankRaster(colours, 4);
  for (let pixel = 0; pixel < alpha.data.length; pixel++) {
    const opacity = alpha.data[pixel]!;
    result.data[pixel * 4 + 3] = opacity;
    for (let band = 0; band < 3; band++) {
      const colour = colours.data[pixel * 3 + band]!;
      const isPlain = opacity === 0 || opacity === 255;
      result.data[pixel * 4 + band] = isPlain ? colour : Math.min(255, Math.trunc((255 * colour) / opacity));
    }
  }
  return result;
}

/** Pillow's NEAREST: the pixel under the middle of the new one. */
function resizeNearest(source: Raster, size: Size): Raster {
  const { channels, data } = source;
  const columns = nearest(source.width, size.width);
  const rows = nearest(source.height, size.height);
  const result = blankRaster(size, channels);
  let into = 0;
  for (const row of rows) {
    for (const column of columns) {
      const from = (row * source.width + column) * channels;
      for (let band = 0; band < channels; band++) result.data[into++] = data[from + band]!;
    }
  }
  return result;
}

/** Added up as Pillow adds it up, whose errors decide where a middle lies on an edge. */
function nearest(length: number, wanted: number): Int32Array {
  const step = length / wanted;
  const positions = new Int32Array(wanted);
  let middle = step * 0.5;
  for (let position = 0; position < wanted; position++) {
    positions[position] = Math.min(length - 1, Math.trunc(middle));
    middle += step;
  }
  return positions;
}

/** In the middle of a black picture without alpha; what is too much on the sides is cut off. */
export function cropCentred(source: Raster, size: Size): Raster {
  const half = (side: number) => Math.floor(side / 2);
  const canvas = blankRaster(size, 3);
  const [left, top] = [half(size.width) - half(source.width), half(size.height) - half(source.height)];
  pasteRaster(canvas, toRgb(source), left, top);
  return canvas;
}

/**
 * Pillow's `Image.blend`, in single precision and cut off; with alpha or without it as the first one is.
 * @param visibility of the second one, 0 to 1.
 */
export async function blend(first: Raster, second: Raster, visibility: number): Promise<Raster> {
  const other = first.channels === 4 ? withAlpha(second) : toRgb(second);
  if (visibility >= 1) return other;
  const shares = sharesOf(visibility);
  const result = blankRaster(first, first.channels);
  const [a, b, into] = [first.data, other.data, result.data];
  for (let start = 0; start < into.length; ) {
    const end = Math.min(into.length, start + 4 * PIXELS_PER_TURN);
    for (let at = start; at < end; at++) into[at] = Math.fround(a[at]! + shares[b[at]! - a[at]! + 255]!);
    start = end;
    await turn();
  }
  return result;
}

/** Of every difference between two bytes, from -255. */
function sharesOf(visibility: number): Float32Array {
  const share = Math.fround(visibility);
  return Float32Array.from({ length: 511 }, (_, index) => share * (index - 255));
}

/** Opaque, where it had none. */
function withAlpha(source: Raster): Raster {
  if (source.channels === 4) return source;
  const { data } = toRgb(source);
  const result = blankRaster(source, 4);
  for (let pixel = 0; pixel * 3 < data.length; pixel++) {
    result.data.set(data.subarray(pixel * 3, pixel * 3 + 3), pixel * 4);
    result.data[pixel * 4 + 3] = 255;
  }
  return result;
}
