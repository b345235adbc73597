/** Lanczos as Pillow does it: on 8-bit pixels, in fixed point. */
import type { Raster } from "./raster.ts";
import type { Axis } from "./resample.ts";

const { fround } = Math;
const PRECISION = 2 ** 22;
const sinc = (x: number) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));

/** Pillow's Lanczos coefficients (support 3, widened when shrinking), in its 22-bit fixed point. */
function lanczosAxis(from: number, to: number): Axis {
  const scale = from / to;
  const stretch = Math.max(1, scale);
  const taps = Math.ceil(3 * stretch) * 2 + 1;
  const indices = new Int32Array(to * taps);
  const weights = new Float32Array(to * taps);
  for (let position = 0; position < to; position++) {
    const middle = (position + 0.5) * scale;
    const first = Math.max(0, Math.trunc(middle - 3 * stretch + 0.5));
    const last = Math.min(from, Math.trunc(middle + 3 * stretch + 0.5));
    const raw = Array.from({ length: last - first }, (_, tap) => {
      const x = (tap + first - middle + 0.5) / stretch;
      return Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0;
    });
    const total = raw.reduce((sum, weight) => sum + weight, 0);
    for (const [tap, weight] of raw.entries()) {
      indices[position * taps + tap] = first + tap;
      weights[position * taps + tap] = Math.trunc((weight / total) * PRECISION + (weight < 0 ? -0.5 : 0.5));
    }
  }
  return { taps, indices, weights };
}

/** Pillow's `resize(LANCZOS)` of the picture truncated to 8 bits; RGBA is resized with premultiplied colours. */
export function lanczos(source: Raster, width: number, height: number): Raster {
  const { batch, channels } = source;
  const bytes = source.data.map((value) => Math.trunc(Math.max(0, Math.min(255, fround(255 * value)))));
  if (channels === 4) premultiply(bytes);
  const across = width === source.width ? undefined : lanczosAxis(source.width, width);
  const down = height === source.height ? undefined : lanczosAxis(source.height, height);
  const data = new Float32Array(batch * height * width * channels);
  for (let item = 0; item < batch; item++) {
    const plane = bytes.subarray(
      item * source.height * source.width * channels,
      (item + 1) * source.height * source.width * channels,
    );
    const rows = across ? pillowPass(plane, across, source.height, source.width * channels, channels, channels) : plane;
    data.set(
      down ? pillowPass(rows, down, 1, 0, width * channels, width * channels) : rows,
      item * height * width * channels,
    );
  }
  if (channels === 4) unpremultiply(data);
  return { batch, height, width, channels, data: data.map((value) => value / 255) };
}

function pillowPass(
  from: Float32Array,
  { taps, indices, weights }: Axis,
  lines: number,
  lineIn: number,
  step: number,
  run: number,
): Float32Array {
  const positions = indices.length / taps;
  const into = new Float32Array(lines * positions * run);
  let target = 0;
  for (let line = 0; line < lines; line++) {
    for (let position = 0; position < positions; position++) {
      for (let offset = 0; offset < run; offset++) {
        let sum = PRECISION / 2;
        for (let tap = position * taps; tap < (position + 1) * taps; tap++) {
          sum += from[line * lineIn + indices[tap]! * step + offset]! * weights[tap]!;
        }
        into[target++] = Math.max(0, Math.min(255, Math.floor(sum / PRECISION)));
      }
    }
  }
  return into;
}

function premultiply(bytes: Float32Array): void {
  for (let pixel = 0; pixel < bytes.length; pixel += 4) {
    for (let channel = 0; channel < 3; channel++) {
      const product = bytes[pixel + channel]! * bytes[pixel + 3]! + 128;
      bytes[pixel + channel] = ((product >> 8) + product) >> 8;
    }
  }
}

function unpremultiply(bytes: Float32Array): void {
  for (let pixel = 0; pixel < bytes.length; pixel += 4) {
    const alpha = bytes[pixel + 3]!;
    if (alpha === 0 || alpha === 255) continue;
    for (let channel = 0; channel < 3; channel++)
      bytes[pixel + channel] = Math.min(255, Math.trunc((255 * bytes[pixel + channel]!) / alpha));
  }
}
