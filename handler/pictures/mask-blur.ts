/** The Gaussian blur of masks, as A1111 asks OpenCV for it: across, then down, in OpenCV's fixed point for 8-bit pixels (smooth.dispatch.cpp). */
import { EndpointError } from "../../runtime/errors.ts";
import type { Raster } from "./raster.ts";

/** Weights are integers that add up to this. */
const UNIT = 256;
/** In pixels; more than any picture's side. */
const MAX_REACH = 16384;
/** Changes from pixel to pixel, times weights: some seconds. Noise comes to it, areas do not. */
const MAX_WORK = 2 ** 33;

/**
 * @param sigmaX In pixels; no blur in that direction where it is 0.
 * @throws EndpointError `invalid_request` for a blur too wide to be computed.
 */
export function blurMask(mask: Raster, sigmaX: number, sigmaY: number): Raster {
  const blurred = { ...mask, data: Uint8Array.from(mask.data) };
  const { width, height } = mask;
  if (sigmaX > 0) blurLines(blurred, sigmaX, { lines: height, length: width, next: width, step: 1 });
  if (sigmaY > 0) blurLines(blurred, sigmaY, { lines: width, length: height, next: 1, step: width });
  return blurred;
}

/** Of A1111's size; rounded from the ends to the middle, which takes up what rounding left. */
function kernelOf(sigma: number): Int32Array {
  const reach = reachOf(sigma);
  const size = 2 * reach + 1;
  const exact = Array.from({ length: reach }, (_, index) => Math.exp(-((reach - index) ** 2) / (2 * sigma * sigma)));
  const total = 1 + 2 * exact.reduce((sum, weight) => sum + weight, 0);
  const kernel = new Int32Array(size);
  let left = UNIT;
  let carried = 0;
  for (const [index, weight] of exact.entries()) {
    const wanted = (weight / total) * UNIT + carried;
    const rounded = roundHalfToEven(wanted);
    carried = wanted - rounded;
    kernel[index] = rounded;
    kernel[size - 1 - index] = rounded;
    left -= 2 * rounded;
  }
  kernel[reach] = left;
  return kernel;
}

const reachOf = (sigma: number) => Math.trunc(2.5 * sigma + 0.5);

function roundHalfToEven(value: number): number {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

/** Where the lines of one direction are: how many of what length, from one to the next, and from pixel to pixel. */
interface Lines {
  lines: number;
  length: number;
  next: number;
  step: number;
}

function blurLines(mask: Raster, sigma: number, lines: Lines): void {
  const { data, width, height } = mask;
  if (reachOf(sigma) > MAX_REACH || workOf(mask, sigma, lines) > MAX_WORK)
    throw new EndpointError("invalid_request", `mask_blur: ${sigma} is too much for this mask of ${width}x${height}`);
  const kernel = kernelOf(sigma);
  const { length, next, step } = lines;
  const padded = new Int32Array(length + kernel.length - 1);
  const mirrored = mirror(length, (kernel.length - 1) / 2);
  const changes = new Int32Array(length);
  for (let line = 0; line < lines.lines; line++) {
    for (let at = 0; at < padded.length; at++) padded[at] = data[line * next + mirrored[at]! * step]!;
    convolve(padded, kernel, changes);
    let sum = UNIT / 2;
    for (let at = 0; at < length; at++) {
      sum += changes[at]!;
      data[line * next + at * step] = sum >> 8;
    }
  }
}

/** How often `convolve` will multiply. */
function workOf({ data }: Raster, sigma: number, { lines, length, next, step }: Lines): number {
  let changes = lines;
  for (let line = 0; line < lines; line++)
    for (let at = 1, from = line * next; at < length; at++, from += step)
      if (data[from] !== data[from + step]) changes++;
  const reach = reachOf(sigma);
  return changes * (1 + (2 * reach) / length) * (2 * reach + 1);
}

/** For a line with so many pixels before and after it: which of its pixels stands there; it is mirrored at the middle of the outermost ones. */
function mirror(length: number, reach: number): Int32Array {
  const period = Math.max(1, 2 * (length - 1));
  return Int32Array.from({ length: length + 2 * reach }, (_, at) => {
    const folded = (((at - reach) % period) + period) % period;
    return folded < length ? folded : period - folded;
  });
}

/** How the sums of weighted pixels change from one place to the next: work only where the pixels change, which they hardly do in a mask. */
function convolve(padded: Int32Array, kernel: Int32Array, changes: Int32Array): void {
  const { length } = changes;
  changes.fill(0);
  for (let tap = 0; tap < kernel.length; tap++) changes[0]! += padded[tap]! * kernel[tap]!;
  for (let at = 1; at < padded.length; at++) {
    const change = padded[at]! - padded[at - 1]!;
    if (change === 0) continue;
    const last = Math.min(kernel.length - 1, at - 1);
    for (let tap = Math.max(0, at - length + 1); tap <= last; tap++) changes[at - tap]! += change * kernel[tap]!;
  }
}
