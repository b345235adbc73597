/** Nodes that make pictures, scale them and move their pixels about. */
import { type Inputs, pure } from "./inputs.ts";
import { type ImageBatch, NodeError, type NodeImplementation } from "./node.ts";
import {
  batchSlice,
  concatBatch,
  crop,
  imageOf,
  newImage,
  newMask,
  place,
  type Raster,
  rearrange,
  repeatToBatch,
  roundHalfEven,
  withChannels,
} from "./raster.ts";
import { resize } from "./resample.ts";
import { stitch } from "./stitch.ts";

const scaled = (image: ImageBatch, width: number, height: number, method: string, cropMode?: string) => {
  if (width < 1 || height < 1) {
    throw new NodeError(
      "RuntimeError",
      `Input and output sizes should be greater than 0, but got input (H: ${image.height}, W: ${image.width}) output (H: ${height}, W: ${width})`,
    );
  }
  return imageOf(resize(image, width, height, method, cropMode));
};

/** A width or height of 0 keeps the aspect; both 0 keep the picture. */
function scale(inputs: Inputs): ImageBatch {
  const image = inputs.image("image");
  const width = inputs.number("width");
  const height = inputs.number("height");
  if (width === 0 && height === 0) return image;
  const autoWidth = Math.max(1, roundHalfEven((image.width * height) / image.height));
  const autoHeight = Math.max(1, roundHalfEven((image.height * width) / image.width));
  return scaled(image, width || autoWidth, height || autoHeight, inputs.text("upscale_method"), inputs.text("crop"));
}

function scaleBy(image: ImageBatch, factor: number, method: string, step = 1): ImageBatch {
  return scaled(
    image,
    roundHalfEven((image.width * factor) / step) * step,
    roundHalfEven((image.height * factor) / step) * step,
    method,
  );
}

function scaleToTotalPixels(inputs: Inputs): ImageBatch {
  const image = inputs.image("image");
  const factor = Math.sqrt((inputs.number("megapixels") * 1024 * 1024) / (image.width * image.height));
  return scaleBy(image, factor, inputs.text("upscale_method"), inputs.number("resolution_steps", 1));
}

function scaleToMaxDimension(inputs: Inputs): ImageBatch {
  const image = inputs.image("image");
  const largest = inputs.number("largest_size");
  const { width, height } = image;
  const newWidth = height > width ? roundHalfEven((width / height) * largest) : largest;
  const newHeight = width > height ? roundHalfEven((height / width) * largest) : largest;
  return scaled(image, newWidth, newHeight, inputs.text("upscale_method"));
}

function resizeAndPad(inputs: Inputs): ImageBatch {
  const image = inputs.image("image");
  const width = inputs.number("target_width");
  const height = inputs.number("target_height");
  const factor = Math.min(width / image.width, height / image.height);
  const inner = scaled(
    image,
    Math.trunc(image.width * factor),
    Math.trunc(image.height * factor),
    inputs.text("interpolation"),
  );
  const left = Math.floor((width - inner.width) / 2);
  const top = Math.floor((height - inner.height) / 2);
  return imageOf(place(inner, width, height, left, top, inputs.text("padding_color") === "black" ? 0 : 1));
}

function emptyImage(inputs: Inputs): ImageBatch {
  const image = newImage(inputs.number("batch_size", 1), inputs.number("height"), inputs.number("width"), 3);
  const colour = inputs.number("color");
  const rgb = [16, 8, 0].map((shift) => ((colour >> shift) & 255) / 255);
  for (let index = 0; index < image.data.length; index++) image.data[index] = rgb[index % 3]!;
  return image;
}

/** The second picture is cut and scaled to the first; a missing alpha channel is opaque. */
function batchImages(inputs: Inputs): ImageBatch {
  const [one, two] = [inputs.image("image1"), inputs.image("image2")];
  const channels = Math.max(one.channels, two.channels);
  const first = withChannels(one, channels);
  const second = withChannels(two, channels);
  const sameSize = one.width === two.width && one.height === two.height;
  return imageOf(concatBatch([first, sameSize ? second : resize(second, one.width, one.height, "bilinear", "center")]));
}

/** Grey around the picture, and a mask of what is to be drawn that fades into the picture over `feathering` pixels. */
function padForOutpaint(inputs: Inputs): unknown[] {
  const image = inputs.image("image");
  const { width, height } = image;
  const [left, top, right, bottom] = ["left", "top", "right", "bottom"].map((side) => inputs.number(side)) as [
    number,
    number,
    number,
    number,
  ];
  const feathering = inputs.number("feathering");
  const padded = place(image, width + left + right, height + top + bottom, left, top, 0.5);
  const mask = newMask(1, padded.height, padded.width, 1);
  const feathered = feathering > 0 && feathering * 2 < height && feathering * 2 < width;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const distance = Math.min(
        top ? y : height,
        bottom ? height - y : height,
        left ? x : width,
        right ? width - x : width,
      );
      const fade = feathered && distance < feathering ? (feathering - distance) / feathering : 0;
      mask.data[(top + y) * padded.width + left + x] = fade * fade;
    }
  }
  return [imageOf(padded), mask];
}

function cropImage(inputs: Inputs): ImageBatch {
  const image = inputs.image("image");
  const x = Math.min(inputs.number("x"), image.width - 1);
  const y = Math.min(inputs.number("y"), image.height - 1);
  return imageOf(crop(image, x, y, inputs.number("width"), inputs.number("height")));
}

function fromBatch(inputs: Inputs): ImageBatch {
  const image = inputs.image("image");
  const index = inputs.number("batch_index");
  const first = Math.max(0, Math.min(image.batch - 1, index < 0 ? index + image.batch : index));
  return imageOf(batchSlice(image, first, Math.min(image.batch - first, inputs.number("length", 1))));
}

function flip(inputs: Inputs): ImageBatch {
  const image = inputs.image("image");
  const { width, height } = image;
  const vertical = inputs.text("flip_method").startsWith("x");
  return imageOf(
    rearrange(image, width, height, (x, y) => (vertical ? (height - 1 - y) * width + x : y * width + width - 1 - x)),
  );
}

/** Clockwise, by the number at the start of `rotation`. */
function rotate(inputs: Inputs): ImageBatch {
  const image = inputs.image("image");
  const { width, height } = image;
  const turns: Record<string, () => Raster> = {
    "90 degrees": () => rearrange(image, height, width, (x, y) => (height - 1 - x) * width + y),
    "180 degrees": () => rearrange(image, width, height, (x, y) => (height - 1 - y) * width + width - 1 - x),
    "270 degrees": () => rearrange(image, height, width, (x, y) => x * width + width - 1 - y),
  };
  return imageOf(turns[inputs.text("rotation")]?.() ?? image);
}

export const GEOMETRY: Record<string, NodeImplementation> = {
  EmptyImage: pure((inputs) => [emptyImage(inputs)]),
  ImageScale: pure((inputs) => [scale(inputs)]),
  ImageScaleBy: pure((inputs) => [
    scaleBy(inputs.image("image"), inputs.number("scale_by"), inputs.text("upscale_method")),
  ]),
  ImageScaleToTotalPixels: pure((inputs) => [scaleToTotalPixels(inputs)]),
  ImageScaleToMaxDimension: pure((inputs) => [scaleToMaxDimension(inputs)]),
  ResizeAndPadImage: pure((inputs) => [resizeAndPad(inputs)]),
  ImagePadForOutpaint: pure(padForOutpaint),
  ImageCrop: pure((inputs) => [cropImage(inputs)]),
  ImageFlip: pure((inputs) => [flip(inputs)]),
  ImageRotate: pure((inputs) => [rotate(inputs)]),
  ImageStitch: pure((inputs) => [stitch(inputs)]),
  ImageBatch: pure((inputs) => [batchImages(inputs)]),
  ImageFromBatch: pure((inputs) => [fromBatch(inputs)]),
  RepeatImageBatch: pure((inputs) => [
    imageOf(repeatToBatch(inputs.image("image"), inputs.image("image").batch * inputs.number("amount", 1))),
  ]),
  GetImageSize: pure((inputs) => [
    inputs.image("image").width,
    inputs.image("image").height,
    inputs.image("image").batch,
  ]),
};
