/** Mask nodes, and those that join or split pictures and masks. */
import { type Inputs, pure } from "./inputs.ts";
import { type MaskBatch, NodeError, type NodeImplementation } from "./node.ts";
import {
  channelOf,
  crop,
  imageOf,
  mapValues,
  maskOf,
  newMask,
  rasterOf,
  repeatToBatch,
  roundHalfEven,
  withChannels,
} from "./raster.ts";
import { resize } from "./resample.ts";

const invert = (mask: MaskBatch): MaskBatch => mapValues(mask, (value) => 1 - value);

function imageToMask(inputs: Inputs): MaskBatch {
  const image = inputs.image("image");
  const channel = ["red", "green", "blue", "alpha"].indexOf(inputs.text("channel"));
  if (channel >= image.channels) {
    throw new NodeError("IndexError", `index ${channel} is out of bounds for dimension 3 with size ${image.channels}`);
  }
  return channelOf(image, channel);
}

function colourToMask(inputs: Inputs): MaskBatch {
  const image = inputs.image("image");
  const colour = inputs.number("color");
  const byte = (index: number) => roundHalfEven(Math.fround(Math.max(0, Math.min(1, image.data[index]!)) * 255));
  return mapValues(newMask(image.batch, image.height, image.width), (_, pixel) => {
    const start = pixel * image.channels;
    return byte(start) * 65536 + byte(start + 1) * 256 + byte(start + 2) === colour ? 1 : 0;
  });
}

const bit = (value: number) => roundHalfEven(value) !== 0;

const OPERATIONS: Record<string, (destination: number, source: number) => number> = {
  multiply: (destination, source) => destination * source,
  add: (destination, source) => destination + source,
  subtract: (destination, source) => destination - source,
  and: (destination, source) => Number(bit(destination) && bit(source)),
  or: (destination, source) => Number(bit(destination) || bit(source)),
  xor: (destination, source) => Number(bit(destination) !== bit(source)),
};

function maskComposite(inputs: Inputs): MaskBatch {
  const destination = inputs.mask("destination");
  const source = inputs.mask("source");
  const operation = OPERATIONS[inputs.text("operation")]!;
  const [left, top] = [inputs.number("x"), inputs.number("y")];
  return mapValues(destination, (value, index) => {
    const x = (index % destination.width) - left;
    const y = (Math.floor(index / destination.width) % destination.height) - top;
    if (x < 0 || y < 0 || x >= source.width || y >= source.height) return Math.max(0, Math.min(1, value));
    const item = Math.floor(index / (destination.width * destination.height)) % source.batch;
    return Math.max(0, Math.min(1, operation(value, source.data[(item * source.height + y) * source.width + x]!)));
  });
}

/** Each edge fades linearly over its width; one edge after the other, in float32. */
function feather(inputs: Inputs): MaskBatch {
  const mask = inputs.mask("mask");
  const { width, height } = mask;
  const edge = (name: string, limit: number) => Math.min(inputs.number(name), limit);
  const [left, top, right, bottom] = [
    edge("left", width),
    edge("top", height),
    edge("right", width),
    edge("bottom", height),
  ];
  const rate = (position: number, size: number) => (position < size ? Math.fround((position + 1) / size) : 1);
  return mapValues(mask, (value, index) => {
    const x = index % width;
    const y = Math.floor(index / width) % height;
    const rates = [rate(x, left), rate(width - 1 - x, right), rate(y, top), rate(height - 1 - y, bottom)];
    return rates.reduce((product, factor) => Math.fround(product * factor), value);
  });
}

/** scipy's grey dilation (erosion when `expand` is negative), one pixel at a time, mirrored at the borders. */
function grow(inputs: Inputs): MaskBatch {
  const steps = inputs.number("expand");
  const tapered = inputs.flag("tapered_corners");
  const choose = steps < 0 ? Math.min : Math.max;
  let mask = inputs.mask("mask");
  const { width, height } = mask;
  const clamp = (value: number, limit: number) => Math.max(0, Math.min(limit - 1, value));
  for (let step = 0; step < Math.abs(steps); step++) {
    const from = mask;
    mask = mapValues(from, (value, index) => {
      const x = index % width;
      const y = Math.floor(index / width) % height;
      const start = index - x - y * width;
      const at = (dx: number, dy: number) => from.data[start + clamp(y + dy, height) * width + clamp(x + dx, width)]!;
      const cross = choose(value, at(-1, 0), at(1, 0), at(0, -1), at(0, 1));
      return tapered ? cross : choose(cross, at(-1, -1), at(1, -1), at(-1, 1), at(1, 1));
    });
  }
  return mask;
}

function joinAlpha(inputs: Inputs): unknown[] {
  const image = inputs.image("image");
  const alpha = inputs.mask("alpha");
  const batch = Math.max(image.batch, alpha.batch);
  const opacity = repeatToBatch(resize(rasterOf(alpha), image.width, image.height, "bilinear"), batch);
  const joined = withChannels(withChannels(repeatToBatch(image, batch), 3), 4);
  const data = joined.data.map((value, index) => (index % 4 === 3 ? 1 - opacity.data[(index - 3) / 4]! : value));
  return [imageOf({ ...joined, data })];
}

function splitAlpha(inputs: Inputs): unknown[] {
  const image = inputs.image("image");
  const mask = image.channels > 3 ? invert(channelOf(image, 3)) : newMask(image.batch, image.height, image.width);
  return [imageOf(withChannels(image, Math.min(3, image.channels))), mask];
}

function cropMask(inputs: Inputs): MaskBatch {
  const part = (name: string) => inputs.number(name);
  return maskOf(crop(rasterOf(inputs.mask("mask")), part("x"), part("y"), part("width"), part("height")));
}

export const MASKS: Record<string, NodeImplementation> = {
  SolidMask: pure((inputs) => [newMask(1, inputs.number("height"), inputs.number("width"), inputs.number("value"))]),
  InvertMask: pure((inputs) => [invert(inputs.mask("mask"))]),
  ThresholdMask: pure((inputs) => [
    mapValues(inputs.mask("mask"), (value) => Number(value > Math.fround(inputs.number("value")))),
  ]),
  CropMask: pure((inputs) => [cropMask(inputs)]),
  MaskComposite: pure((inputs) => [maskComposite(inputs)]),
  FeatherMask: pure((inputs) => [feather(inputs)]),
  GrowMask: pure((inputs) => [grow(inputs)]),
  ImageToMask: pure((inputs) => [imageToMask(inputs)]),
  ImageColorToMask: pure((inputs) => [colourToMask(inputs)]),
  JoinImageWithAlpha: pure(joinAlpha),
  SplitImageWithAlpha: pure(splitAlpha),
};
