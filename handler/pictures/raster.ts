/** Pictures as plain 8-bit pixels, and their way from and to PNG. */

export interface Raster {
  width: number;
  height: number;
  /** Grey, RGB, or RGBA with straight alpha. */
  channels: 1 | 3 | 4;
  /** Rows from the top, pixels from the left, channels interleaved, nothing between them. */
  data: Uint8Array;
}

export interface Size {
  width: number;
  height: number;
}

/** Black; with alpha: transparent. */
export function blankRaster({ width, height }: Size, channels: Raster["channels"]): Raster {
  return { width, height, channels, data: new Uint8Array(width * height * channels) };
}

export const isSameSize = (a: Size, b: Size) => a.width === b.width && a.height === b.height;

/** RGB of a file that this machine's own engine wrote; for files from outside there is `readRequestImage`. */
export async function decodeRaster(file: Buffer): Promise<Raster> {
  const { default: sharp } = await import("sharp");
  const { data, info } = await sharp(file).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, channels: 3, data };
}

/** PNG with little compression: it is read again at once, on this machine. */
export async function encodePng({ width, height, channels, data }: Raster): Promise<Buffer> {
  const { default: sharp } = await import("sharp");
  const picture = sharp(data, { raw: { width, height, channels } });
  if (channels === 1) picture.toColourspace("b-w");
  // sharp's bytes may lie on shared memory, which not every writer takes.
  return Buffer.from(await picture.png({ compressionLevel: 1 }).toBuffer());
}

/** ITU-R 601 in 16-bit fixed point, as Pillow's `convert("L")`; alpha is dropped. */
export function toGrey(source: Raster): Raster {
  const { channels, data } = source;
  if (channels === 1) return source;
  const grey = blankRaster(source, 1);
  for (let pixel = 0, from = 0; pixel < grey.data.length; pixel++, from += channels)
    grey.data[pixel] = (data[from]! * 19595 + data[from + 1]! * 38470 + data[from + 2]! * 7471 + 0x8000) >> 16;
  return grey;
}

/** Three channels, as Pillow's `convert("RGB")`; alpha is dropped, whatever stands under it. */
export function toRgb(source: Raster): Raster {
  const { channels, data } = source;
  if (channels === 3) return source;
  const rgb = blankRaster(source, 3);
  const [green, blue] = channels === 1 ? [0, 0] : [1, 2];
  for (let into = 0, from = 0; into < rgb.data.length; into += 3, from += channels) {
    rgb.data[into] = data[from]!;
    rgb.data[into + 1] = data[from + green]!;
    rgb.data[into + 2] = data[from + blue]!;
  }
  return rgb;
}

/** `value / 255`, rounded, for products of two bytes; Pillow's integer arithmetic. */
export const divide255 = (value: number) => (value + 128 + ((value + 128) >> 8)) >> 8;

export type Colour = readonly [red: number, green: number, blue: number];
const WHITE: Colour = [255, 255, 255];

/** RGB, with a colour where it is transparent, as A1111's `images.flatten`. */
export function flatten(source: Raster, background = WHITE): Raster {
  if (source.channels !== 4) return toRgb(source);
  const { data } = source;
  const flat = blankRaster(source, 3);
  for (let into = 0, from = 0; into < flat.data.length; into += 3, from += 4) {
    const alpha = data[from + 3]!;
    for (const [channel, below] of background.entries())
      flat.data[into + channel] = divide255(below * (255 - alpha) + data[from + channel]! * alpha);
  }
  return flat;
}

/** The pixels of a box; what of it lies outside the picture is black, as in Pillow's `crop`. */
export function cropRaster(source: Raster, left: number, top: number, size: Size): Raster {
  const cropped = blankRaster(size, source.channels);
  pasteRaster(cropped, source, -left, -top);
  return cropped;
}

/** Overwrites pixels with those of a picture of as many channels; what lies outside is left out. */
export function pasteRaster(into: Raster, source: Raster, left: number, top: number): void {
  const { channels } = source;
  const firstColumn = Math.max(0, -left);
  const columns = Math.min(source.width, into.width - left) - firstColumn;
  if (columns <= 0) return;
  const lastRow = Math.min(source.height, into.height - top);
  for (let row = Math.max(0, -top); row < lastRow; row++) {
    const from = (row * source.width + firstColumn) * channels;
    const line = source.data.subarray(from, from + columns * channels);
    into.data.set(line, ((top + row) * into.width + left + firstColumn) * channels);
  }
}
