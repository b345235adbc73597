/** Nodes that compute with colours: blending, compositing, blurring. */
import { type Inputs, pure } from "./inputs.ts";
import type { ImageBatch, NodeImplementation } from "./node.ts";
import { quantize } from "./quantize.ts";
import {
  batchSlice,
  concatBatch,
  imageOf,
  mapValues,
  maskOf,
  type Raster,
  rasterOf,
  repeatToBatch,
  withChannels,
} from "./raster.ts";
import { resize } from "./resample.ts";

const { fround } = Math;
const clamp01 = (value: number) => Math.max(0, Math.min(1, value));
const f = fround;

/** A blend of one channel value: `a` is the first picture, `b` the second. Rounded like torch, operation by operation. */
const BLENDS: Record<string, (a: number, b: number) => number> = {
  normal: (_, b) => b,
  multiply: (a, b) => f(a * b),
  screen: (a, b) => f(1 - f(f(1 - a) * f(1 - b))),
  overlay: (a, b) => (a <= 0.5 ? f(f(2 * a) * b) : f(1 - f(f(2 * f(1 - a)) * f(1 - b)))),
  soft_light: (a, b) =>
    b <= 0.5 ? f(a - f(f(f(1 - f(2 * b)) * a) * f(1 - a))) : f(a + f(f(f(2 * b) - 1) * f(softLightCurve(a) - a))),
  difference: (a, b) => f(a - b),
};

const softLightCurve = (x: number) => (x <= 0.25 ? f(f(f(f(f(16 * x) - 12) * x) + 4) * x) : f(Math.sqrt(x)));

function blend(inputs: Inputs): ImageBatch {
  const one = inputs.image("image1");
  const two = withChannels(inputs.image("image2"), one.channels);
  const sameShape = two.width === one.width && two.height === one.height && two.batch === one.batch;
  const fitted = sameShape ? two : resize(two, one.width, one.height, "bicubic", "center");
  const second = repeatToBatch(fitted, Math.max(one.batch, two.batch));
  const mode = BLENDS[inputs.text("blend_mode")]!;
  const factor = inputs.number("blend_factor");
  const [keep, take] = [f(1 - factor), f(factor)];
  return mapValues(imageOf(repeatToBatch(one, second.batch)), (a, index) =>
    clamp01(f(f(a * keep) + f(mode(a, second.data[index]!) * take))),
  );
}

/** Pastes `source` on `destination` at (x, y) through a mask that is stretched over the source. */
function compositeMasked(inputs: Inputs): ImageBatch {
  const destination = inputs.image("destination");
  const { width, height, batch, channels } = destination;
  const fitted = withChannels(inputs.image("source"), channels);
  const source = repeatToBatch(
    inputs.flag("resize_source") ? resize(fitted, width, height, "bilinear") : fitted,
    batch,
  );
  const mask = inputs.has("mask")
    ? repeatToBatch(resize(rasterOf(inputs.mask("mask")), source.width, source.height, "bilinear"), batch)
    : undefined;
  const left = Math.max(-source.width, Math.min(inputs.number("x"), width));
  const top = Math.max(-source.height, Math.min(inputs.number("y"), height));
  return mapValues(destination, (value, index) => {
    const pixel = Math.floor(index / channels);
    const x = (pixel % width) - left;
    const y = (Math.floor(pixel / width) % height) - top;
    if (x < 0 || y < 0 || x >= source.width || y >= source.height) return value;
    const from = (Math.floor(pixel / (width * height)) * source.height + y) * source.width + x;
    const opacity = mask ? mask.data[from]! : 1;
    return f(f(opacity * source.data[from * channels + (index % channels)]!) + f(f(1 - opacity) * value));
  });
}

/** Colour and alpha of Porter-Duff and separable modes: `s`, `d` premultiplied colours; `sa`, `da` alphas. */
type Compose = (s: number, sa: number, d: number, da: number) => [colour: number, alpha: number];

const union = (sa: number, da: number) => sa + da - sa * da;

const COMPOSE: Record<string, Compose> = {
  ADD: (s, sa, d, da) => [clamp01(s + d), clamp01(sa + da)],
  CLEAR: () => [0, 0],
  DARKEN: (s, sa, d, da) => [(1 - da) * s + (1 - sa) * d + Math.min(s, d), union(sa, da)],
  DST: (_s, _sa, d, da) => [d, da],
  DST_ATOP: (s, sa, d, da) => [sa * d + (1 - da) * s, sa],
  DST_IN: (_s, sa, d, da) => [d * sa, sa * da],
  DST_OUT: (_s, sa, d, da) => [(1 - sa) * d, (1 - sa) * da],
  DST_OVER: (s, sa, d, da) => [d + (1 - da) * s, da + (1 - da) * sa],
  LIGHTEN: (s, sa, d, da) => [(1 - da) * s + (1 - sa) * d + Math.max(s, d), union(sa, da)],
  MULTIPLY: (s, sa, d, da) => [s * d, sa * da],
  OVERLAY: (s, sa, d, da) => [2 * d < da ? 2 * s * d : sa * da - 2 * (da - s) * (sa - d), union(sa, da)],
  SCREEN: (s, sa, d, da) => [s + d - s * d, union(sa, da)],
  SRC: (s, sa) => [s, sa],
  SRC_ATOP: (s, sa, d, da) => [da * s + (1 - sa) * d, da],
  SRC_IN: (s, sa, _d, da) => [s * da, sa * da],
  SRC_OUT: (s, sa, _d, da) => [(1 - da) * s, (1 - da) * sa],
  SRC_OVER: (s, sa, d, da) => [s + (1 - sa) * d, sa + (1 - sa) * da],
  XOR: (s, sa, d, da) => [(1 - da) * s + (1 - sa) * d, (1 - da) * sa + (1 - sa) * da],
};

/** Everything is cut and scaled to the destination; masks count as transparency. */
function porterDuff(inputs: Inputs): unknown[] {
  const target = inputs.image("destination");
  const { width, height, channels } = target;
  const layers = [
    inputs.image("source"),
    target,
    rasterOf(inputs.mask("source_alpha")),
    rasterOf(inputs.mask("destination_alpha")),
  ];
  const batch = Math.min(...layers.map((layer) => layer.batch));
  const [source, destination, sourceMask, destinationMask] = layers
    .map((layer) => repeatToBatch(layer, batch))
    .map((layer) =>
      layer.width === width && layer.height === height ? layer : resize(layer, width, height, "bicubic", "center"),
    )
    .map((layer) => layer.data) as [Float32Array, Float32Array, Float32Array, Float32Array];
  const compose = COMPOSE[inputs.text("mode")]!;
  const image = imageOf(repeatToBatch(target, batch));
  const mask = maskOf({ batch, height, width, channels: 1, data: new Float32Array(batch * height * width) });
  const colours = mapValues(image, (_, index) => {
    const pixel = Math.floor(index / channels);
    const sourceAlpha = 1 - sourceMask[pixel]!;
    const destinationAlpha = 1 - destinationMask[pixel]!;
    const [colour, alpha] = compose(
      f(source[index]! * sourceAlpha),
      sourceAlpha,
      f(destination[index]! * destinationAlpha),
      destinationAlpha,
    );
    mask.data[pixel] = 1 - alpha;
    return alpha > 1e-5 ? clamp01(f(colour) / f(alpha)) : 0;
  });
  return [colours, mask];
}

/** ComfyUI's blur kernel is a Gaussian over -1..1 whatever the radius, and so the product of two of these. */
function gaussian(radius: number, sigma: number): number[] {
  const weights = Array.from({ length: 2 * radius + 1 }, (_, index) =>
    Math.exp(-(((index - radius) / radius) ** 2) / (2 * sigma * sigma)),
  );
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}

/** The border mirrors without repeating the edge pixel. */
function blur(image: ImageBatch, radius: number, sigma: number): ImageBatch {
  const { width, height, channels } = image;
  const weights = gaussian(radius, sigma);
  const mirror = (position: number, limit: number) =>
    position < 0 ? -position : position >= limit ? 2 * limit - 2 - position : position;
  const pass = (from: ImageBatch, limit: number, step: number) =>
    mapValues(from, (_, index) => {
      const position = Math.floor(index / step) % limit;
      const start = index - position * step;
      let sum = 0;
      for (let tap = 0; tap < weights.length; tap++)
        sum += from.data[start + mirror(position + tap - radius, limit) * step]! * weights[tap]!;
      return sum;
    });
  return pass(pass(image, width, channels), height, width * channels);
}

/** ComfyUI's kernel is -10 alpha times the Gaussian, plus what makes its sum 1 in the middle. */
function sharpen(inputs: Inputs): ImageBatch {
  const image = inputs.image("image");
  const strength = inputs.number("alpha") * 10;
  const blurred = blur(image, inputs.number("sharpen_radius"), inputs.number("sigma"));
  return mapValues(image, (value, index) => clamp01(value + strength * (value - blurred.data[index]!)));
}

function quantizeBatch(inputs: Inputs): ImageBatch {
  const image = inputs.image("image");
  const items = Array.from({ length: image.batch }, (_, item) =>
    quantize(batchSlice(image, item, 1), inputs.number("colors"), inputs.text("dither")),
  );
  return imageOf(concatBatch(items as [Raster, ...Raster[]]));
}

export const BLENDING: Record<string, NodeImplementation> = {
  ImageInvert: pure((inputs) => [mapValues(inputs.image("image"), (value) => 1 - value)]),
  ImageBlend: pure((inputs) => [blend(inputs)]),
  ImageCompositeMasked: pure((inputs) => [compositeMasked(inputs)]),
  PorterDuffImageComposite: pure(porterDuff),
  ImageBlur: pure((inputs) => [blur(inputs.image("image"), inputs.number("blur_radius"), inputs.number("sigma"))]),
  ImageSharpen: pure((inputs) => [sharpen(inputs)]),
  ImageQuantize: pure((inputs) => [quantizeBatch(inputs)]),
};
