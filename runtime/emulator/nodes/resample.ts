/** Resizing with the arithmetic of torch's `interpolate`, fused multiply-adds included, so that pixels agree with ComfyUI's. */
import { lanczos } from "./lanczos.ts";
import { crop, type Raster, roundHalfEven } from "./raster.ts";

/** For one axis: output position i is the sum of `weights[k]` times input `indices[k]`, k in `i * taps ... (i + 1) * taps`. */
export interface Axis {
  taps: number;
  indices: Int32Array;
  weights: Float32Array;
}

type AxisOf = (from: number, to: number) => Axis;

const { fround } = Math;

function axis(
  from: number,
  to: number,
  taps: number,
  tapsOf: (position: number, scale: number) => [index: number, weight: number][],
): Axis {
  const indices = new Int32Array(to * taps);
  const weights = new Float32Array(to * taps);
  const scale = fround(from / to);
  for (let position = 0; position < to; position++) {
    for (const [tap, [index, weight]] of tapsOf(position, scale).entries()) {
      indices[position * taps + tap] = Math.max(0, Math.min(from - 1, index));
      weights[position * taps + tap] = weight;
    }
  }
  return { taps, indices, weights };
}

const centre = (position: number, scale: number) => fround(fround(position + 0.5) * scale - 0.5);

const nearestExact: AxisOf = (from, to) =>
  axis(from, to, 1, (position, scale) => [[Math.floor(fround(fround(position + 0.5) * scale)), 1]]);

const linearAxis: AxisOf = (from, to) =>
  axis(from, to, 2, (position, scale) => {
    const real = Math.max(0, centre(position, scale));
    const index = Math.min(Math.floor(real), from - 1);
    const weight = fround(real - index);
    return [
      [index, fround(1 - weight)],
      [index + 1, weight],
    ];
  });

/** torch's bicubic coefficient of Keys' kernel, a = -0.75. */
const near = (x: number) => fround(fround(fround(fround(1.25 * x) - 2.25) * x) * x + 1);
const far = (x: number) => fround(fround(fround(fround(fround(-0.75 * x) + 3.75) * x - 6) * x) + 3);

const bicubic: AxisOf = (from, to) =>
  axis(from, to, 4, (position, scale) => {
    const real = centre(position, scale);
    const index = Math.floor(real);
    const t = fround(real - index);
    const u = fround(1 - t);
    return [far(fround(t + 1)), near(t), near(u), far(fround(u + 1))].map((weight, tap) => [index - 1 + tap, weight]);
  });

/** Weighted sums along rows, then along columns, rounded to float32 after every step. */
function separable(source: Raster, width: number, height: number, axisOf: AxisOf): Raster {
  const { batch, channels } = source;
  const across = axisOf(source.width, width);
  const down = axisOf(source.height, height);
  const rows = new Float32Array(source.height * width * channels);
  const data = new Float32Array(batch * height * width * channels);
  const inSize = source.height * source.width * channels;
  for (let item = 0; item < batch; item++) {
    sumTaps(source.data.subarray(item * inSize, (item + 1) * inSize), rows, across, {
      lines: source.height,
      lineIn: source.width * channels,
      lineOut: width * channels,
      step: channels,
      run: channels,
    });
    sumTaps(rows, data.subarray(item * height * width * channels, (item + 1) * height * width * channels), down, {
      lines: 1,
      lineIn: 0,
      lineOut: 0,
      step: width * channels,
      run: width * channels,
    });
  }
  return { batch, height, width, channels, data };
}

/** Resamples `lines` lines; a position of the axis is a run of `run` values that are `step` values apart. */
function sumTaps(
  from: Float32Array,
  into: Float32Array,
  { taps, indices, weights }: Axis,
  shape: Record<"lines" | "lineIn" | "lineOut" | "step" | "run", number>,
): void {
  const { lines, lineIn, lineOut, step, run } = shape;
  const positions = indices.length / taps;
  for (let line = 0; line < lines; line++) {
    for (let position = 0; position < positions; position++) {
      const target = line * lineOut + position * step;
      for (let offset = 0; offset < run; offset++) {
        let sum = 0;
        for (let tap = position * taps; tap < (position + 1) * taps; tap++) {
          sum = fround(sum + from[line * lineIn + indices[tap]! * step + offset]! * weights[tap]!);
        }
        into[target + offset] = sum;
      }
    }
  }
}

/** torch has two bilinear kernels, which differ in the last bit, and chooses by these sizes. */
function bilinear(source: Raster, width: number, height: number): Raster {
  return source.channels > 3 || width + height <= 128
    ? bilinearOfFour(source, width, height)
    : separable(source, width, height, linearAxis);
}

/** Four neighbours, each with the product of its two weights. */
function bilinearOfFour(source: Raster, width: number, height: number): Raster {
  const { batch, channels, data: from } = source;
  const across = linearAxis(source.width, width);
  const down = linearAxis(source.height, height);
  const data = new Float32Array(batch * height * width * channels);
  let target = 0;
  for (let item = 0; item < batch; item++) {
    for (let y = 0; y < height; y++) {
      const top = (item * source.height + down.indices[2 * y]!) * source.width;
      const bottom = (item * source.height + down.indices[2 * y + 1]!) * source.width;
      for (let x = 0; x < width; x++) {
        const [left, right] = [across.indices[2 * x]!, across.indices[2 * x + 1]!];
        const a = fround(down.weights[2 * y]! * across.weights[2 * x]!);
        const b = fround(down.weights[2 * y]! * across.weights[2 * x + 1]!);
        const c = fround(down.weights[2 * y + 1]! * across.weights[2 * x]!);
        const d = fround(down.weights[2 * y + 1]! * across.weights[2 * x + 1]!);
        for (let channel = 0; channel < channels; channel++) {
          const at = (pixel: number) => from[pixel * channels + channel]!;
          const upper = fround(a * at(top + left) + fround(b * at(top + right)));
          data[target++] = fround(fround(upper + c * at(bottom + left)) + d * at(bottom + right));
        }
      }
    }
  }
  return { batch, height, width, channels, data };
}

/** torch's adaptive average: the plain mean of every input pixel that the output pixel touches. */
function area(source: Raster, width: number, height: number): Raster {
  const { batch, channels } = source;
  const span = (position: number, from: number, to: number) =>
    [Math.floor((position * from) / to), Math.ceil(((position + 1) * from) / to)] as const;
  const data = new Float32Array(batch * height * width * channels);
  let target = 0;
  for (let item = 0; item < batch; item++) {
    for (let y = 0; y < height; y++) {
      const [top, bottom] = span(y, source.height, height);
      for (let x = 0; x < width; x++) {
        const [left, right] = span(x, source.width, width);
        for (let channel = 0; channel < channels; channel++) {
          let sum = 0;
          for (let sy = top; sy < bottom; sy++) {
            for (let sx = left; sx < right; sx++) {
              sum = fround(sum + source.data[((item * source.height + sy) * source.width + sx) * channels + channel]!);
            }
          }
          data[target++] = fround(fround(sum / (bottom - top)) / (right - left));
        }
      }
    }
  }
  return { batch, height, width, channels, data };
}

type Resample = (source: Raster, width: number, height: number) => Raster;

/** By the names that ComfyUI uses. `bislerp` belongs to latents, which are pictures here: bilinear stands in for it. */
const METHODS: Record<string, Resample> = {
  "nearest-exact": (source, width, height) => separable(source, width, height, nearestExact),
  bilinear,
  bislerp: bilinear,
  bicubic: (source, width, height) => separable(source, width, height, bicubic),
  area,
  lanczos,
};

/** ComfyUI's `common_upscale`: with `center`, the source is first cut to the target's aspect. */
export function resize(source: Raster, width: number, height: number, method: string, cropMode = "disabled"): Raster {
  const resample = METHODS[method] ?? METHODS["bilinear"]!;
  if (cropMode !== "center") return resample(source, width, height);
  const oldAspect = source.width / source.height;
  const newAspect = width / height;
  const x = oldAspect > newAspect ? roundHalfEven((source.width - source.width * (newAspect / oldAspect)) / 2) : 0;
  const y = oldAspect < newAspect ? roundHalfEven((source.height - source.height * (oldAspect / newAspect)) / 2) : 0;
  return resample(crop(source, x, y, source.width - 2 * x, source.height - 2 * y), width, height);
}
