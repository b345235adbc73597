/** ComfyUI's Canny, which is kornia's: grey, smoothed, slopes, their ridges, and of the weak ones those that touch a strong one. */
import { type Inputs, pure } from "./inputs.ts";
import type { ImageBatch, NodeImplementation } from "./node.ts";
import { imageOf, mapValues, newImage, type Raster } from "./raster.ts";

type Kernel = readonly (readonly [dx: number, dy: number, share: number])[];

const SMOOTHING: Kernel = gaussian(2, 1);
const SLOPE_X: Kernel = [
  [-1, -1, -1],
  [1, -1, 1],
  [-1, 0, -2],
  [1, 0, 2],
  [-1, 1, -1],
  [1, 1, 1],
];
const SLOPE_Y: Kernel = SLOPE_X.map(([dx, dy, share]) => [dy, dx, share] as const);

function gaussian(reach: number, sigma: number): Kernel {
  const offsets = Array.from({ length: 2 * reach + 1 }, (_, index) => index - reach);
  const shares = offsets.map((offset) => Math.exp(-(offset ** 2) / (2 * sigma ** 2)));
  const total = shares.reduce((sum, share) => sum + share) ** 2;
  return offsets.flatMap((dy, row) =>
    offsets.map((dx, column) => [dx, dy, (shares[row]! * shares[column]!) / total] as const),
  );
}

/** One channel; the border's values go on outside. */
function convolve(source: Raster, kernel: Kernel): Raster {
  const { width, height, data } = source;
  const inside = (place: number, side: number) => Math.max(0, Math.min(side - 1, place));
  return mapValues(source, (_, index) => {
    const page = Math.floor(index / (width * height));
    const [x, y] = [index % width, Math.floor(index / width) % height];
    let sum = 0;
    for (const [dx, dy, share] of kernel)
      sum += share * data[(page * height + inside(y + dy, height)) * width + inside(x + dx, width)]!;
    return sum;
  });
}

function greyOf({ batch, width, height, channels, data }: ImageBatch): Raster {
  const at = (index: number, channel: number) => data[index * channels + Math.min(channel, channels - 1)]!;
  return mapValues(
    newImage(batch, height, width, 1),
    (_, index) => 0.299 * at(index, 0) + 0.587 * at(index, 1) + 0.114 * at(index, 2),
  );
}

/** Along the slope, to the nearest of the eight directions. */
function isRidge({ width, height, data }: Raster, index: number, slopeX: number, slopeY: number): boolean {
  const turn = Math.round(Math.atan2(slopeY, slopeX) / (Math.PI / 4));
  const [dx, dy] = [Math.round(Math.cos((turn * Math.PI) / 4)), Math.round(Math.sin((turn * Math.PI) / 4))];
  const page = Math.floor(index / (width * height)) * width * height;
  const [x, y] = [index % width, Math.floor(index / width) % height];
  const neighbour = (sign: 1 | -1) => {
    const [column, row] = [x + sign * dx, y + sign * dy];
    return column < 0 || row < 0 || column >= width || row >= height ? 0 : data[page + row * width + column]!;
  };
  return data[index]! > neighbour(1) && data[index]! > neighbour(-1);
}

function canny(inputs: Inputs): ImageBatch {
  const image = inputs.image("image");
  const smooth = convolve(greyOf(image), SMOOTHING);
  const [slopeX, slopeY] = [convolve(smooth, SLOPE_X).data, convolve(smooth, SLOPE_Y).data];
  const slopes = mapValues(smooth, (_, index) => Math.hypot(slopeX[index]!, slopeY[index]!));
  const ridges = mapValues(slopes, (slope, index) =>
    isRidge(slopes, index, slopeX[index]!, slopeY[index]!) ? slope : 0,
  );
  const edges = connect(ridges, inputs.number("low_threshold"), inputs.number("high_threshold"));
  return imageOf(
    mapValues(newImage(image.batch, image.height, image.width, 3), (_, index) => edges[Math.floor(index / 3)]!),
  );
}

/** 1 for strong ridges and what hangs together with them, else 0. */
function connect({ width, height, data }: Raster, low: number, high: number): Uint8Array {
  const edges = new Uint8Array(data.length);
  const found = [...data.keys()].filter((index) => data[index]! > high);
  for (let index = found.pop(); index !== undefined; index = found.pop()) {
    if (edges[index]! > 0) continue;
    edges[index] = 1;
    const page = Math.floor(index / (width * height)) * width * height;
    const [x, y] = [index % width, Math.floor(index / width) % height];
    for (let row = Math.max(0, y - 1); row <= Math.min(height - 1, y + 1); row++)
      for (let column = Math.max(0, x - 1); column <= Math.min(width - 1, x + 1); column++)
        if (data[page + row * width + column]! > low) found.push(page + row * width + column);
  }
  return edges;
}

export const EDGES: Record<string, NodeImplementation> = { Canny: pure((inputs) => [canny(inputs)]) };
