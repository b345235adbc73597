/** Rasters that the recorded geometry of A1111 was made with, and comparisons with it. */
import { blankRaster, type Raster } from "../../handler/pictures/raster.ts";

/** Red grows across, green down; blue is a board of 4x4 squares. */
export function ramp(width: number, height: number): Raster {
  const raster = blankRaster({ width, height }, 3);
  for (let pixel = 0; pixel < width * height; pixel++) {
    const [x, y] = [pixel % width, Math.trunc(pixel / width)];
    const isOdd = ((x >> 2) + (y >> 2)) % 2 === 1;
    raster.data.set([((x * 255) / (width - 1)) | 0, ((y * 255) / (height - 1)) | 0, isOdd ? 255 : 0], pixel * 3);
  }
  return raster;
}

/** Grey boxes on black; a box is left, top, right, bottom. */
export function boxMask([width, height]: number[], boxes: number[][], value = 255): Raster {
  const mask = blankRaster({ width: width!, height: height! }, 1);
  for (const [left, top, right, bottom] of boxes)
    for (let row = top!; row < bottom!; row++) mask.data.fill(value, row * width! + left!, row * width! + right!);
  return mask;
}

export function solid(width: number, height: number, colour: number[]): Raster {
  const raster = blankRaster({ width, height }, 3);
  for (let at = 0; at < raster.data.length; at += 3) raster.data.set(colour, at);
  return raster;
}

export function pixelAt({ width, channels, data }: Raster, x: number, y: number): number[] {
  const at = (y * width + x) * channels;
  return [...data.subarray(at, at + channels)];
}

export const rowOf = (raster: Raster, y: number) =>
  Array.from({ length: raster.width }, (_, x) => pixelAt(raster, x, y)).flat();
export const columnOf = (raster: Raster, x: number) =>
  Array.from({ length: raster.height }, (_, y) => pixelAt(raster, x, y)).flat();

/** One digit, 0 or 1, per latent pixel. */
export function latentRows({ width, height, data }: Raster): string[] {
  return Array.from({ length: height / 8 }, (_, y) =>
    Array.from({ length: width / 8 }, (_, x) => (data[y * 8 * width + x * 8] ? 1 : 0)).join(""),
  );
}
