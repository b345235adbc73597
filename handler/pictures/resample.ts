/** Pillow's `resize`: convolution of 8-bit pixels in fixed point, across and then down (libImaging/Resample.c). */
import { blankRaster, type Raster, type Size } from "./raster.ts";

interface Filter {
  /** Pixels to either side that count. */
  support: number;
  weight(distance: number): number;
}

const sinc = (x: number) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));

const LANCZOS: Filter = { support: 3, weight: (x) => (Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0) };

/** With a = -0.5. */
const BICUBIC: Filter = {
  support: 2,
  weight(distance) {
    const x = Math.abs(distance);
    if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
    return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
  },
};

const FILTERS = { lanczos: LANCZOS, bicubic: BICUBIC };

/** Weights are integers with so many bits after the point; sums of 8-bit pixels fit into 32 bits then. */
const PRECISION = 22;
const ROUNDING = 1 << (PRECISION - 1);

/** For each position of a line: the first pixel that counts, how many do, and their weights. */
interface Axis {
  taps: number;
  first: Int32Array;
  count: Int32Array;
  weights: Int32Array;
}

/** A part of a line: from and to, in pixels, not always whole ones and possibly the same. */
export type Span = [number, number];

/**
 * Grey or RGB to another size, of the whole picture or of a box in it; pixels around the box count too, as in Pillow.
 * @param box left and right, top and bottom.
 */
export function resample(
  source: Raster,
  size: Size,
  filter: keyof typeof FILTERS,
  [across, down]: [Span, Span] = [
    [0, source.width],
    [0, source.height],
  ],
): Raster {
  const { width, height, channels } = source;
  const wide = isWhole(across, width, size.width)
    ? source
    : resampleRows(source, axisOf(FILTERS[filter], width, across, size.width));
  if (isWhole(down, height, size.height)) return wide;
  const axis = axisOf(FILTERS[filter], height, down, size.height);
  return resampleColumns(wide, axis, blankRaster(size, channels));
}

const isWhole = ([from, to]: Span, length: number, wanted: number) => from === 0 && to === length && wanted === length;

function axisOf({ support, weight }: Filter, length: number, [from, to]: Span, wanted: number): Axis {
  const scale = (to - from) / wanted;
  const stretch = Math.max(1, scale);
  const taps = Math.ceil(support * stretch) * 2 + 1;
  const axis = {
    taps,
    first: new Int32Array(wanted),
    count: new Int32Array(wanted),
    weights: new Int32Array(wanted * taps),
  };
  for (let position = 0; position < wanted; position++) {
    const middle = from + (position + 0.5) * scale;
    const first = Math.max(0, Math.trunc(middle - support * stretch + 0.5));
    const count = Math.min(length, Math.trunc(middle + support * stretch + 0.5)) - first;
    const raw = Array.from({ length: count }, (_, tap) => weight((tap + first - middle + 0.5) / stretch));
    const total = raw.reduce((sum, value) => sum + value, 0);
    axis.first[position] = first;
    axis.count[position] = count;
    for (const [tap, value] of raw.entries()) axis.weights[position * taps + tap] = toFixed(value / total);
  }
  return axis;
}

const toFixed = (weight: number) => Math.trunc(weight * (1 << PRECISION) + (weight < 0 ? -0.5 : 0.5));

function resampleRows(source: Raster, axis: Axis): Raster {
  const { width, height, channels } = source;
  const result = blankRaster({ width: axis.first.length, height }, channels);
  const pass = channels === 3 ? rgbRow : greyRow;
  const into = clamped(result);
  for (let row = 0; row < height; row++) pass(source.data, row * width, into, row * result.width, axis);
  return result;
}

/** One line of RGB; `fromPixel` and `intoPixel` are where it starts. */
function rgbRow(from: Uint8Array, fromPixel: number, into: Uint8ClampedArray, intoPixel: number, axis: Axis): void {
  const { taps, first, count, weights } = axis;
  let target = intoPixel * 3;
  for (let position = 0; position < first.length; position++) {
    let red = ROUNDING;
    let green = ROUNDING;
    let blue = ROUNDING;
    let at = (fromPixel + first[position]!) * 3;
    const start = position * taps;
    const end = start + count[position]!;
    for (let tap = start; tap < end; tap++, at += 3) {
      const weight = weights[tap]!;
      red = (red + Math.imul(from[at]!, weight)) | 0;
      green = (green + Math.imul(from[at + 1]!, weight)) | 0;
      blue = (blue + Math.imul(from[at + 2]!, weight)) | 0;
    }
    into[target++] = red >> PRECISION;
    into[target++] = green >> PRECISION;
    into[target++] = blue >> PRECISION;
  }
}

function greyRow(from: Uint8Array, fromPixel: number, into: Uint8ClampedArray, intoPixel: number, axis: Axis): void {
  const { taps, first, count, weights } = axis;
  for (let position = 0; position < first.length; position++) {
    let sum = ROUNDING;
    let at = fromPixel + first[position]!;
    const start = position * taps;
    const end = start + count[position]!;
    for (let tap = start; tap < end; tap++, at++) sum = (sum + Math.imul(from[at]!, weights[tap]!)) | 0;
    into[intoPixel + position] = sum >> PRECISION;
  }
}

/** Whole lines at a time, which lie together in memory. */
function resampleColumns(
  { data, width, channels }: Raster,
  { taps, first, count, weights }: Axis,
  result: Raster,
): Raster {
  const length = width * channels;
  const sums = new Int32Array(length);
  const into = clamped(result);
  for (let position = 0; position < first.length; position++) {
    sums.fill(ROUNDING);
    for (let tap = 0; tap < count[position]!; tap++) {
      const weight = weights[position * taps + tap]!;
      let from = (first[position]! + tap) * length;
      for (let at = 0; at < length; at++) sums[at] = (sums[at]! + Math.imul(data[from++]!, weight)) | 0;
    }
    for (let at = 0, target = position * length; at < length; at++, target++) into[target] = sums[at]! >> PRECISION;
  }
  return result;
}

/** The same bytes; what is written is cut to 0..255. */
const clamped = ({ data }: Raster) => new Uint8ClampedArray(data.buffer, data.byteOffset, data.length);
