/** Pixel arrays: how IMAGE and MASK values are made, read, cut and rearranged. All arithmetic is float32, as in torch. */
import { type ImageBatch, type MaskBatch, NodeError } from "./node.ts";

/** What IMAGE and MASK have in common: interleaved float32 pixels, `[batch][height][width][channels]`. */
export interface Raster {
  batch: number;
  height: number;
  width: number;
  channels: number;
  data: Float32Array;
}

export function newImage(batch: number, height: number, width: number, channels: number): ImageBatch {
  return { kind: "image", batch, height, width, channels, data: floats(batch * height * width, channels) };
}

export function newMask(batch: number, height: number, width: number, fill = 0): MaskBatch {
  return { kind: "mask", batch, height, width, data: floats(batch * height * width).fill(fill) };
}

/** @throws {NodeError} as torch, which allocates EmptyImage channel by channel, when there is not enough memory. */
function floats(pixels: number, channels = 1): Float32Array {
  try {
    return new Float32Array(pixels * channels);
  } catch {
    throw new NodeError(
      "RuntimeError",
      `[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate ${pixels * 4} bytes. Error code 12 (Cannot allocate memory)`,
    );
  }
}

export const imageOf = (raster: Raster): ImageBatch => ({ ...raster, kind: "image" });

export const maskOf = ({ batch, height, width, data }: Raster): MaskBatch => ({
  kind: "mask",
  batch,
  height,
  width,
  data,
});

export const rasterOf = (mask: MaskBatch): Raster => ({ ...mask, channels: 1 });

/** Applies `fn` to every value. */
export function mapValues<T extends { data: Float32Array }>(
  raster: T,
  fn: (value: number, index: number) => number,
): T {
  return { ...raster, data: raster.data.map(fn) };
}

/**
 * A raster of `width` x `height` whose pixel (x, y) is the pixel of `source` with the index that `pick` names
 * (`y * source.width + x`), or `fill` where it names -1.
 */
export function rearrange(
  source: Raster,
  width: number,
  height: number,
  pick: (x: number, y: number) => number,
  fill = 0,
): Raster {
  const { batch, channels } = source;
  const plane = source.width * source.height;
  const data = new Float32Array(batch * height * width * channels).fill(fill);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = pick(x, y);
      if (from < 0) continue;
      for (let item = 0; item < batch; item++) {
        const start = (item * plane + from) * channels;
        data.set(source.data.subarray(start, start + channels), ((item * height + y) * width + x) * channels);
      }
    }
  }
  return { batch, height, width, channels, data };
}

/** The part of `source` from (x, y), cut at its right and lower edge like a Python slice. */
export function crop(source: Raster, x: number, y: number, width: number, height: number): Raster {
  const cutWidth = Math.max(0, Math.min(width, source.width - x));
  const cutHeight = Math.max(0, Math.min(height, source.height - y));
  return rearrange(source, cutWidth, cutHeight, (dx, dy) => (y + dy) * source.width + x + dx);
}

/** `source` at (left, top) on a canvas of `fill`. */
export function place(source: Raster, width: number, height: number, left: number, top: number, fill: number): Raster {
  const inside = (x: number, y: number) => x >= 0 && y >= 0 && x < source.width && y < source.height;
  return rearrange(
    source,
    width,
    height,
    (x, y) => (inside(x - left, y - top) ? (y - top) * source.width + x - left : -1),
    fill,
  );
}

/** The pictures `from` to `from + count` of a batch. */
export function batchSlice(source: Raster, from: number, count: number): Raster {
  const size = source.height * source.width * source.channels;
  return { ...source, batch: count, data: source.data.slice(from * size, (from + count) * size) };
}

export function concatBatch(rasters: [Raster, ...Raster[]]): Raster {
  const data = new Float32Array(rasters.reduce((sum, raster) => sum + raster.data.length, 0));
  let offset = 0;
  for (const raster of rasters) {
    data.set(raster.data, offset);
    offset += raster.data.length;
  }
  return { ...rasters[0], batch: rasters.reduce((sum, raster) => sum + raster.batch, 0), data };
}

/** Repeats the batch cyclically, or cuts it, to `batch` pictures. */
export function repeatToBatch(source: Raster, batch: number): Raster {
  if (source.batch === batch) return source;
  const size = source.height * source.width * source.channels;
  const data = new Float32Array(batch * size);
  for (let item = 0; item < batch; item++) {
    const from = (item % source.batch) * size;
    data.set(source.data.subarray(from, from + size), item * size);
  }
  return { ...source, batch, data };
}

/** Drops channels beyond `channels`, or adds opaque ones. */
export function withChannels(source: Raster, channels: number): Raster {
  if (source.channels === channels) return source;
  const pixels = source.batch * source.height * source.width;
  const data = new Float32Array(pixels * channels).fill(1);
  const kept = Math.min(channels, source.channels);
  for (let pixel = 0; pixel < pixels; pixel++) {
    const start = pixel * source.channels;
    data.set(source.data.subarray(start, start + kept), pixel * channels);
  }
  return { ...source, channels, data };
}

export function channelOf(source: Raster, channel: number): MaskBatch {
  const mask = newMask(source.batch, source.height, source.width);
  for (let pixel = 0; pixel < mask.data.length; pixel++)
    mask.data[pixel] = source.data[pixel * source.channels + channel]!;
  return mask;
}

/** Python's `round`: halves go to the even neighbour. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
}

/** 8-bit pixels of one picture, truncated as SaveImage does. */
export function toBytes(source: Raster, item = 0): Uint8Array {
  const size = source.height * source.width * source.channels;
  const bytes = new Uint8Array(size);
  for (let index = 0; index < size; index++) {
    bytes[index] = Math.max(0, Math.min(255, Math.fround(255 * source.data[item * size + index]!)));
  }
  return bytes;
}

export function fromBytes(bytes: ArrayLike<number>, height: number, width: number, channels: number): Raster {
  return { batch: 1, height, width, channels, data: Float32Array.from(bytes, (value) => value / 255) };
}
