/** What A1111's extras do with the pixels of a picture (scripts/postprocessing_upscale.py, modules/upscaler.py), as Pillow does it. */
import { setImmediate as turn } from "node:timers/promises";
import { enlargement } from "../../workflows/upscalers.ts";
import {
  blankRaster,
  cropRaster,
  divide255,
  isSameSize,
  pasteRaster,
  type Raster,
  type Size,
  toRgb,
} from "./raster.ts";
import { resample } from "./resample.ts";

/** So many pixels are worked on before others get their turn: some tens of milliseconds. */
const PIXELS_PER_TURN = 2 ** 20;

/** Calls `work` with one range after the other, with turns for others in between. */
async function inTurns(length: number, step: number, work: (start: number, end: number) => void): Promise<void> {
  for (let start = 0; start < length; start += step) {
    work(start, Math.min(length, start + step));
    await turn();
  }
}

/** By Lanczos or Nearest: to the scaled size, and from there to whole cells by Lanczos. */
export async function upscalePlain(source: Raster, method: "lanczos" | "nearest", scale: number): Promise<Raster> {
  const { runs, ...wanted } = enlargement(source.width, source.height, scale, scale);
  if (runs === 0) return resizeLanczos(source, wanted);
  const size = { width: Math.trunc(source.width * scale), height: Math.trunc(source.height * scale) };
  const larger = await (method === "nearest" ? resizeNearest(source, size) : resizeLanczos(source, size));
  return resizeLanczos(larger, wanted);
}

/** Pillow's LANCZOS; with alpha, colours count by how visible they are. */
export async function resizeLanczos(source: Raster, size: Size): Promise<Raster> {
  if (isSameSize(source, size)) return source;
  if (source.channels !== 4) return resampleInStrips(source, size);
  const { colours, alpha } = await premultiply(source);
  return unpremultiply(await resampleInStrips(colours, size), await resampleInStrips(alpha, size));
}

/** The same as at once: across, then down. */
async function resampleInStrips(source: Raster, { width, height }: Size): Promise<Raster> {
  const { channels } = source;
  const rows = Math.max(1, Math.floor(PIXELS_PER_TURN / Math.max(source.width, width)));
  const wide = blankRaster({ width, height: source.height }, channels);
  await inTurns(source.height, rows, (top, bottom) => {
    const strip = cropRaster(source, 0, top, { width: source.width, height: bottom - top });
    pasteRaster(wide, resample(strip, { width, height: strip.height }, "lanczos"), 0, top);
  });
  if (height === source.height) return wide;
  const result = blankRaster({ width, height }, channels);
  const step = source.height / height;
  await inTurns(height, rows, (top, bottom) => {
    const box: [number, number] = [top * step, bottom === height ? source.height : bottom * step];
    pasteRaster(result, resample(wide, { width, height: bottom - top }, "lanczos", [[0, width], box]), 0, top);
  });
  return result;
}

/** Pillow's RGBA to RGBa. */
async function premultiply(source: Raster): Promise<{ colours: Raster; alpha: Raster }> {
  const colours = blankRaster(source, 3);
  const alpha = blankRaster(source, 1);
  const [from, into] = [source.data, colours.data];
  await inTurns(alpha.data.length, PIXELS_PER_TURN, (start, end) => {
    for (let pixel = start; pixel < end; pixel++) {
      const opacity = from[pixel * 4 + 3]!;
      alpha.data[pixel] = opacity;
      for (let band = 0; band < 3; band++) into[pixel * 3 + band] = divide255(from[pixel * 4 + band]! * opacity);
    }
  });
  return { colours, alpha };
}

async function unpremultiply(colours: Raster, alpha: Raster): Promise<Raster> {
  const result = blankRaster(colours, 4);
  await inTurns(alpha.data.length, PIXELS_PER_TURN, (start, end) => {
    for (let pixel = start; pixel < end; pixel++) {
      const opacity = alpha.data[pixel]!;
      result.data[pixel * 4 + 3] = opacity;
      for (let band = 0; band < 3; band++) {
        const colour = colours.data[pixel * 3 + band]!;
        const isPlain = opacity === 0 || opacity === 255;
        result.data[pixel * 4 + band] = isPlain ? colour : Math.min(255, Math.trunc((255 * colour) / opacity));
      }
    }
  });
  return result;
}

/** Pillow's NEAREST: the pixel under the middle of the new one. */
export async function resizeNearest(source: Raster, size: Size): Promise<Raster> {
  const { channels, data } = source;
  const columns = nearest(source.width, size.width);
  const rows = nearest(source.height, size.height);
  const result = blankRaster(size, channels);
  const line = size.width * channels;
  const fill = (row: number) => {
    let into = row * line;
    if (row > 0 && rows[row] === rows[row - 1]) {
      result.data.copyWithin(into, into - line, into);
      return;
    }
    for (const column of columns) {
      const from = (rows[row]! * source.width + column) * channels;
      for (let band = 0; band < channels; band++) result.data[into++] = data[from + band]!;
    }
  };
  await inTurns(size.height, Math.ceil(PIXELS_PER_TURN / size.width), (top, bottom) => {
    for (let row = top; row < bottom; row++) fill(row);
  });
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
 * Pillow's `Image.blend`, in single precision and cut off; with alpha or without it as the first one is, which is written over.
 * @param visibility of the second one, 0 to 1.
 */
export async function blend(first: Raster, second: Raster, visibility: number): Promise<Raster> {
  const other = first.channels === 4 ? withAlpha(second) : toRgb(second);
  if (visibility >= 1) return other;
  const shares = sharesOf(visibility);
  const [into, from] = [first.data, other.data];
  await inTurns(into.length, 4 * PIXELS_PER_TURN, (start, end) => {
    for (let at = start; at < end; at++) into[at] = Math.fround(into[at]! + shares[from[at]! - into[at]! + 255]!);
  });
  return first;
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
