/** ImageStitch: two pictures side by side. */
import type { Inputs } from "./inputs.ts";
import type { ImageBatch } from "./node.ts";
import {
  batchSlice,
  concatBatch,
  imageOf,
  newImage,
  place,
  type Raster,
  repeatToBatch,
  withChannels,
} from "./raster.ts";
import { resize } from "./resample.ts";

const STITCH_COLOURS: Record<string, [number, number, number]> = {
  white: [1, 1, 1],
  black: [0, 0, 0],
  red: [1, 0, 0],
  green: [0, 1, 0],
  blue: [0, 0, 1],
};

/** Puts two pictures side by side; unlike the spacing, padding of unequal sizes knows only white and black. */
export function stitch(inputs: Inputs): ImageBatch {
  const one = inputs.image("image1");
  if (!inputs.has("image2")) return one;
  const two = inputs.image("image2");
  const direction = inputs.text("direction", "right");
  const colour = inputs.text("spacing_color", "white");
  const horizontal = direction === "left" || direction === "right";
  const batch = Math.max(one.batch, two.batch);
  const channels = Math.max(one.channels, two.channels);
  const aspect = two.width / two.height;
  const matched = horizontal
    ? () => resize(two, Math.trunc(one.height * aspect), one.height, "lanczos")
    : () => resize(two, one.width, Math.trunc(one.width / aspect), "lanczos");
  const pair = [one, inputs.flag("match_image_size") ? matched() : two];
  const width = Math.max(...pair.map((image) => image.width));
  const height = Math.max(...pair.map((image) => image.height));
  const [first, second] = pair.map((image) => {
    const left = horizontal ? 0 : Math.floor((width - image.width) / 2);
    const top = horizontal ? Math.floor((height - image.height) / 2) : 0;
    const padded = place(
      image,
      horizontal ? image.width : width,
      horizontal ? height : image.height,
      left,
      top,
      colour === "white" ? 1 : 0,
    );
    return withChannels(extendBatch(padded, batch), channels);
  }) as [Raster, Raster];
  const gap = inputs.number("spacing_width") + (inputs.number("spacing_width") % 2);
  const spacing = newImage(batch, horizontal ? height : gap, horizontal ? gap : width, channels);
  const pixel = [...(STITCH_COLOURS[colour] ?? [1, 1, 1]), 1];
  for (let index = 0; index < spacing.data.length; index++) spacing.data[index] = pixel[index % channels]!;
  const parts = direction === "left" || direction === "up" ? [second, spacing, first] : [first, spacing, second];
  return parts.reduce((joined, part) => join(joined, part, horizontal)) as ImageBatch;
}

/** Repeats the last picture until the batch is full. */
function extendBatch(image: Raster, batch: number): Raster {
  if (image.batch === batch) return image;
  return concatBatch([image, repeatToBatch(batchSlice(image, image.batch - 1, 1), batch - image.batch)]);
}

function join(one: Raster, two: Raster, horizontal: boolean): ImageBatch {
  if (two.data.length === 0) return imageOf(one);
  const width = horizontal ? one.width + two.width : one.width;
  const height = horizontal ? one.height : one.height + two.height;
  const joined = imageOf(place(one, width, height, 0, 0, 0));
  const rowSize = two.width * two.channels;
  for (let row = 0; row < two.batch * two.height; row++) {
    const item = Math.floor(row / two.height);
    const y = (row % two.height) + (horizontal ? 0 : one.height);
    const target = ((item * height + y) * width + (horizontal ? one.width : 0)) * two.channels;
    joined.data.set(two.data.subarray(row * rowSize, (row + 1) * rowSize), target);
  }
  return joined;
}
