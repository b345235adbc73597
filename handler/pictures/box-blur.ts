/** Pillow's `GaussianBlur`: three box blurs across, three down, in fixed point (libImaging/BoxBlur.c). */
import type { Raster } from "./raster.ts";

const PASSES = 3;
const ROUNDING = 1 << 23;
const { fround } = Math;

/** A box that reaches so many whole pixels to either side, with the weights of those and of the two beyond, 24 bits after the point. */
interface Box {
  reach: number;
  inner: number;
  outer: number;
}

/** @param radius The Gaussian's standard deviation in pixels; 0 changes nothing. Every channel is blurred for itself. */
export function gaussianBlur(source: Raster, radius: number): Raster {
  if (radius === 0) return source;
  const box = boxOf(radius);
  const [one, two] = [Uint8Array.from(source.data), new Uint8Array(source.data.length)];
  blurRows(one, two, source, box);
  blurRows(two, one, source, box);
  blurRows(one, two, source, box);
  blurColumns(two, one, source, box);
  blurColumns(one, two, source, box);
  blurColumns(two, one, source, box);
  return { ...source, data: one };
}

/** The box whose repetition comes nearest to the Gaussian (Gwosdek et al., "Theoretical foundations of Gaussian convolution by extended box filtering"), in single precision like Pillow's. */
function boxOf(radius: number): Box {
  const variance = fround((radius * radius) / PASSES);
  const length = fround(Math.sqrt(12 * variance + 1));
  const reach = Math.floor((length - 1) / 2);
  const wanted = fround((2 * reach + 1) * fround(reach * (reach + 1) - 3 * variance));
  const part = fround(wanted / fround(6 * fround(variance - (reach + 1) * (reach + 1))));
  const inner = Math.trunc(fround(2 ** 24 / fround(fround(reach + part) * 2 + 1)));
  return { reach, inner, outer: Math.trunc((2 ** 24 - (reach * 2 + 1) * inner) / 2) };
}

/** One blur of every line; beyond its ends stand the outermost pixels. */
function blurRows(old: Uint8Array, into: Uint8Array, { width, channels }: Raster, { reach, inner, outer }: Box): void {
  const step = channels;
  const length = width * channels;
  for (let line = 0; line < old.length; line += length) {
    for (let first = line; first < line + channels; first++) {
      const last = first + length - step;
      let sum = old[first]! * (reach + 1);
      for (let at = 0; at < reach; at++) sum += old[Math.min(first + at * step, last)]!;
      let leaving = first - (reach + 1) * step;
      let coming = first + reach * step;
      for (let at = first; at <= last; at += step, leaving += step, coming += step) {
        const before = old[leaving > first ? leaving : first]!;
        sum += old[coming < last ? coming : last]! - before;
        const beyond = old[coming + step < last ? coming + step : last]!;
        into[at] = (Math.imul(sum, inner) + Math.imul(before + beyond, outer) + ROUNDING) >>> 24;
      }
    }
  }
}

/** The same for columns, all of them together, line by line as they lie in memory. */
function blurColumns(old: Uint8Array, into: Uint8Array, { width, height, channels }: Raster, box: Box): void {
  const { reach, inner, outer } = box;
  const length = width * channels;
  const lineAt = (row: number) => Math.max(0, Math.min(height - 1, row)) * length;
  const sums = new Int32Array(length);
  for (let row = -reach - 1; row < reach; row++) {
    let at = lineAt(row);
    for (let value = 0; value < length; value++) sums[value]! += old[at++]!;
  }
  for (let row = 0, target = 0; row < height; row++) {
    let leaving = lineAt(row - reach - 1);
    let coming = lineAt(row + reach);
    let beyond = lineAt(row + reach + 1);
    for (let value = 0; value < length; value++) {
      const before = old[leaving++]!;
      const sum = sums[value]! + old[coming++]! - before;
      sums[value] = sum;
      into[target++] = (Math.imul(sum, inner) + Math.imul(before + old[beyond++]!, outer) + ROUNDING) >>> 24;
    }
  }
}
