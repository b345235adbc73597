/** Nodes that make, change, encode and decode latents, which are pictures here. */
import { ENGINE_NOTE } from "./codec.ts";
import type { Latent } from "./diffusion-values.ts";
import { type Inputs, pure } from "./inputs.ts";
import { drawLabel } from "./label.ts";
import type { ImageBatch, MaskBatch, NodeImplementation } from "./node.ts";
import {
  batchSlice,
  concatBatch,
  crop,
  imageOf,
  mapValues,
  maskOf,
  newImage,
  type Raster,
  rasterOf,
  repeatToBatch,
  roundHalfEven,
  withChannels,
} from "./raster.ts";
import { resize } from "./resample.ts";

/** Pixels of one latent cell: sizes are cut to multiples of it. */
const CELL = 8;
const EMPTY = 0.5;

const range = (count: number) => Array.from({ length: count }, (_, index) => index);

function emptyLatent(cell: number) {
  return (inputs: Inputs): Latent[] => {
    const size = (name: string) => Math.floor(inputs.number(name, 512) / cell) * cell;
    const batch = inputs.number("batch_size", 1);
    const samples = newImage(batch, size("height"), size("width"), 3);
    samples.data.fill(EMPTY);
    return [{ kind: "latent", samples, empty: true, batchIndex: range(batch) }];
  };
}

/** As the VAE: alpha is dropped and the middle is kept when a side is no multiple of 8. */
function encode(pixels: ImageBatch): Latent {
  return {
    kind: "latent",
    samples: imageOf(withChannels(cutToCells(pixels), 3)),
    empty: false,
    batchIndex: range(pixels.batch),
  };
}

function cutToCells(source: Raster): Raster {
  const width = Math.floor(source.width / CELL) * CELL;
  const height = Math.floor(source.height / CELL) * CELL;
  return crop(source, Math.floor((source.width - width) / 2), Math.floor((source.height - height) / 2), width, height);
}

function decode(inputs: Inputs): unknown[] {
  const { samples, label } = inputs.value<Latent>("samples");
  return [label === undefined ? samples : drawLabel(samples, [ENGINE_NOTE, label])];
}

/** Greys out what is to be drawn, and lets the noise reach `grow` pixels (roughly) beyond it. */
function encodeForInpaint(pixels: ImageBatch, mask: MaskBatch, grow: number): Latent {
  const hard = mapValues(resize(rasterOf(mask), pixels.width, pixels.height, "bilinear"), roundHalfEven);
  const latent = encode(greyOut(pixels, hard));
  return { ...latent, noiseMask: maskOf(cutToCells(dilate(hard, Math.ceil(grow / 2)))) };
}

function greyOut(pixels: ImageBatch, hard: Raster): ImageBatch {
  const opacity = repeatToBatch(hard, pixels.batch).data;
  return mapValues(pixels, (value, index) => (value - 0.5) * (1 - opacity[Math.floor(index / pixels.channels)]!) + 0.5);
}

function dilate(mask: Raster, radius: number): Raster {
  const pass = (from: Raster, limit: number, step: number) =>
    mapValues(from, (_, index) => {
      const position = Math.floor(index / step) % limit;
      let highest = 0;
      for (let other = Math.max(0, position - radius); other <= Math.min(limit - 1, position + radius); other++) {
        highest = Math.max(highest, from.data[index + (other - position) * step]!);
      }
      return highest;
    });
  return pass(pass(mask, mask.width, 1), mask.height, mask.width);
}

function inpaintConditioning(inputs: Inputs): unknown[] {
  const pixels = inputs.image("pixels");
  const mask = resize(rasterOf(inputs.mask("mask")), pixels.width, pixels.height, "bilinear");
  const latent = encode(pixels);
  const noiseMask = inputs.flag("noise_mask") ? { noiseMask: maskOf(cutToCells(mask)) } : {};
  return [inputs.value("positive"), inputs.value("negative"), { ...latent, ...noiseMask }];
}

/** Sizes in pixels; a side of 0 keeps the aspect, both 0 keep the latent. */
function upscale(inputs: Inputs): Latent {
  const latent = inputs.value<Latent>("samples");
  const { width: oldWidth, height: oldHeight } = latent.samples;
  const [width, height] = [inputs.number("width"), inputs.number("height")];
  if (width === 0 && height === 0) return latent;
  const toCells = (pixels: number) => Math.floor(Math.max(64, pixels) / CELL) * CELL;
  return resized(
    latent,
    toCells(width || roundHalfEven((oldWidth * height) / oldHeight)),
    toCells(height || roundHalfEven((oldHeight * width) / oldWidth)),
    inputs.text("upscale_method"),
    inputs.text("crop"),
  );
}

function upscaleBy(inputs: Inputs): Latent {
  const latent = inputs.value<Latent>("samples");
  const side = (pixels: number) => roundHalfEven((pixels / CELL) * inputs.number("scale_by", 1)) * CELL;
  return resized(latent, side(latent.samples.width), side(latent.samples.height), inputs.text("upscale_method"));
}

const resized = (latent: Latent, width: number, height: number, method: string, cropMode?: string): Latent => ({
  ...latent,
  samples: imageOf(resize(latent.samples, width, height, method, cropMode)),
});

/** Pixels are cut to cells; a place too far right or down moves back until 64 pixels fit. */
function cropLatent(inputs: Inputs): Latent {
  const latent = inputs.value<Latent>("samples");
  const cells = (name: string) => Math.floor(inputs.number(name) / CELL) * CELL;
  const place = (name: string, side: number) => Math.max(0, Math.min(cells(name), side - 64));
  const x = place("x", latent.samples.width);
  const y = place("y", latent.samples.height);
  const width = Math.min(cells("width"), latent.samples.width - x);
  const height = Math.min(cells("height"), latent.samples.height - y);
  return { ...latent, samples: imageOf(crop(latent.samples, x, y, width, height)) };
}

function fromBatch(inputs: Inputs): Latent {
  const latent = inputs.value<Latent>("samples");
  const first = Math.min(latent.samples.batch - 1, inputs.number("batch_index"));
  const count = Math.min(latent.samples.batch - first, inputs.number("length", 1));
  return {
    ...latent,
    samples: imageOf(batchSlice(latent.samples, first, count)),
    batchIndex: latent.batchIndex.slice(first, first + count),
  };
}

/** Every repetition gets noise of its own. */
function repeat(inputs: Inputs): Latent {
  const latent = inputs.value<Latent>("samples");
  const amount = inputs.number("amount", 1);
  const stride = Math.max(...latent.batchIndex) - Math.min(...latent.batchIndex) + 1;
  const batchIndex = range(amount).flatMap((round) => latent.batchIndex.map((index) => index + round * stride));
  return { ...latent, samples: imageOf(repeatToBatch(latent.samples, latent.samples.batch * amount)), batchIndex };
}

function batch(inputs: Inputs): Latent {
  const one = inputs.value<Latent>("samples1");
  const two = inputs.value<Latent>("samples2");
  const { width, height } = one.samples;
  const second =
    two.samples.width === width && two.samples.height === height
      ? two.samples
      : resize(two.samples, width, height, "bilinear", "center");
  return {
    ...one,
    samples: imageOf(concatBatch([one.samples, second])),
    batchIndex: [...one.batchIndex, ...two.batchIndex],
    empty: one.empty && two.empty,
  };
}

/** Every pixel becomes a square of equal ones, as the tiny upscaler of the real engine's tests does it; a factor in the model's name (`4x-something`), else 2. */
function upscaleWithModel(inputs: Inputs): ImageBatch {
  const image = inputs.image("image");
  const { name } = inputs.value<{ name: string }>("upscale_model");
  const factor = Number(/(?<![a-z0-9])([1-8])x|x([1-8])(?![0-9])/i.exec(name)?.slice(1).find(Boolean) ?? 2);
  return imageOf(resize(withChannels(image, 3), image.width * factor, image.height * factor, "nearest-exact"));
}

export const LATENTS: Record<string, NodeImplementation> = {
  EmptyLatentImage: pure(emptyLatent(CELL)),
  EmptySD3LatentImage: pure(emptyLatent(CELL)),
  EmptyFlux2LatentImage: pure(emptyLatent(2 * CELL)),
  VAEEncode: pure((inputs) => [encode(inputs.image("pixels"))]),
  VAEEncodeTiled: pure((inputs) => [encode(inputs.image("pixels"))]),
  VAEEncodeForInpaint: pure((inputs) => [
    encodeForInpaint(inputs.image("pixels"), inputs.mask("mask"), inputs.number("grow_mask_by", 6)),
  ]),
  InpaintModelConditioning: pure(inpaintConditioning),
  VAEDecode: pure(decode),
  VAEDecodeTiled: pure(decode),
  SetLatentNoiseMask: pure((inputs) => [{ ...inputs.value<Latent>("samples"), noiseMask: inputs.mask("mask") }]),
  LatentUpscale: pure((inputs) => [upscale(inputs)]),
  LatentCrop: pure((inputs) => [cropLatent(inputs)]),
  LatentUpscaleBy: pure((inputs) => [upscaleBy(inputs)]),
  LatentFromBatch: pure((inputs) => [fromBatch(inputs)]),
  RepeatLatentBatch: pure((inputs) => [repeat(inputs)]),
  LatentBatch: pure((inputs) => [batch(inputs)]),
  ImageUpscaleWithModel: pure((inputs) => [upscaleWithModel(inputs)]),
};
