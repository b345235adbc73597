/** Picture files: decoding as LoadImage does, encoding with ComfyUI's metadata. */
import { statSync } from "node:fs";
import { crc32 } from "node:zlib";
import sharp, { type Metadata } from "sharp";
import { dumps } from "../python.ts";
import { type ImageBatch, type MaskBatch, type NodeContext, NodeError } from "./node.ts";
import { channelOf, mapValues, newImage, newMask, type Raster, toBytes } from "./raster.ts";

/** Says in every file that the emulator writes where its pixels come from. */
export const ENGINE_NOTE = "comfy-endpoint emulator: no model drew this picture";

/**
 * Reads a picture as ComfyUI 0.33 does (PyAV): colours 0..1, one batch item per frame, mask = 1 - alpha.
 * @throws {NodeError} Pillow's, which is asked last, when the file is no picture; PyAV's for a folder.
 */
export async function decode(path: string): Promise<{ image: ImageBatch; mask: MaskBatch }> {
  try {
    const metadata = await sharp(path).metadata();
    const wide = metadata.depth === "ushort";
    const { data, info } = await sharp(path, { animated: true, failOn: "none" })
      .autoOrient()
      .toColourspace(colourSpace(metadata))
      .raw({ depth: wide ? "ushort" : "uchar" })
      .toBuffer({ resolveWithObject: true });
    const frames = metadata.pages ?? 1;
    const pixels = wide ? new Uint16Array(data.buffer, data.byteOffset, data.length / 2) : data;
    const height = info.height / frames;
    return split(
      { batch: frames, height, width: info.width, channels: info.channels, data: toFloats(pixels, metadata) },
      metadata,
    );
  } catch {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory())
      throw new NodeError("av.error.IsADirectoryError", `[Errno 21] Is a directory: '${path}'`);
    throw new NodeError("PIL.UnidentifiedImageError", `cannot identify image file '${path}'`);
  }
}

const isGray = (metadata: Metadata) => metadata.space === "b-w" || metadata.space === "grey16";

function colourSpace(metadata: Metadata): string {
  const wide = metadata.depth === "ushort";
  if (isGray(metadata) && !metadata.hasAlpha) return wide ? "grey16" : "b-w";
  return wide ? "rgb16" : "srgb";
}

const UNIT_16 = Math.fround(1 / 65535);

/**
 * PyAV hands formats other than 8-bit RGB(A), palette and JPEG colours over as floats that swscale made of 16 bits, and
 * 8-bit values arrive there shifted by 8, not multiplied by 257: 255 becomes 65280 / 65535.
 */
function toFloats(pixels: Uint8Array | Uint16Array, metadata: Metadata): Float32Array {
  const shifted = isGray(metadata) || metadata.format === "webp" || metadata.format === "gif";
  const factor = metadata.depth === "ushort" ? 1 : 256;
  return Float32Array.from(
    pixels,
    factor === 1 || shifted ? (value) => value * factor * UNIT_16 : (value) => value / 255,
  );
}

/** Colours and mask. Palettes, GIF and WebP have an alpha channel for PyAV even where the file has none. */
function split(pixels: Raster, metadata: Metadata): { image: ImageBatch; mask: MaskBatch } {
  const { batch, height, width, channels, data } = pixels;
  const alpha = channels % 2 === 0 ? channels - 1 : undefined;
  const colours = channels - (alpha === undefined ? 0 : 1);
  const image = newImage(batch, height, width, 3);
  for (let pixel = 0; pixel < batch * height * width; pixel++) {
    for (let channel = 0; channel < 3; channel++)
      image.data[pixel * 3 + channel] = data[pixel * channels + Math.min(channel, colours - 1)]!;
  }
  if (alpha !== undefined) return { image, mask: mapValues(channelOf(pixels, alpha), (value) => 1 - value) };
  const hasAlpha = metadata.isPalette === true || metadata.format === "webp" || metadata.format === "gif";
  return { image, mask: hasAlpha ? newMask(batch, height, width) : newMask(batch, 64, 64) };
}

/** PNG of one picture of a batch, with tEXt chunks. */
export async function encodePng(images: Raster, item: number, texts: PngText[], compressionLevel = 4): Promise<Buffer> {
  const png = await plainPng(images, item, compressionLevel);
  return Buffer.concat([png.subarray(0, HEADER_END), ...texts.map(textChunk), png.subarray(HEADER_END)]);
}

/** Animated PNG of a whole batch: every picture a full frame, played for ever. */
export async function encodeAnimatedPng(
  images: Raster,
  fps: number,
  texts: PngText[],
  compressionLevel: number,
): Promise<Buffer> {
  const { batch, width, height } = images;
  const first = await plainPng(images, 0, compressionLevel);
  const chunks = [first.subarray(0, HEADER_END), ...texts.map(textChunk), chunk("acTL", uint32(batch, 0))];
  let sequence = 0;
  for (let item = 0; item < batch; item++) {
    const delay = Buffer.from(Uint16Array.of(Math.trunc(1000 / fps), 1000).buffer).swap16();
    chunks.push(chunk("fcTL", uint32(sequence++, width, height, 0, 0), delay, Buffer.alloc(2)));
    const data = pixelData(item === 0 ? first : await plainPng(images, item, compressionLevel));
    chunks.push(item === 0 ? chunk("IDAT", data) : chunk("fdAT", uint32(sequence++), data));
  }
  return Buffer.concat([...chunks, chunk("IEND")]);
}

export type PngText = [key: string, text: string];

/** Signature and IHDR. */
const HEADER_END = 33;

function plainPng(images: Raster, item: number, compressionLevel: number): Promise<Buffer> {
  const { width, height, channels } = images;
  const raw = { width, height, channels: channels as 1 | 3 | 4 };
  return sharp(toBytes(images, item), { raw }).png({ compressionLevel }).toBuffer();
}

/** The bodies of all IDAT chunks. */
function pixelData(png: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let start = HEADER_END; start < png.length; ) {
    const length = png.readUInt32BE(start);
    if (png.toString("latin1", start + 4, start + 8) === "IDAT")
      parts.push(png.subarray(start + 8, start + 8 + length));
    start += length + 12;
  }
  return Buffer.concat(parts);
}

const uint32 = (...values: number[]) => Buffer.from(Uint32Array.from(values).buffer).swap32();

function chunk(type: string, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), ...parts]);
  return Buffer.concat([uint32(body.length - 4), body, uint32(crc32(body))]);
}

const textChunk = ([key, text]: PngText): Buffer => chunk("tEXt", Buffer.from(`${key}\0${text}`, "latin1"));

/** The text chunks of a saved picture: `prompt`, every key of `extra_pnginfo`, and {@link ENGINE_NOTE}. */
export function metadataTexts({ prompt, extraPnginfo }: Pick<NodeContext, "prompt" | "extraPnginfo">): PngText[] {
  const entries = prompt === undefined ? [] : Object.entries({ prompt, ...extraPnginfo });
  return [...entries.map(([key, value]): PngText => [key, asciiJson(value)]), ["engine", ENGINE_NOTE]];
}

/** Python's JSON in ASCII, so that it fits a tEXt chunk. */
function asciiJson(value: unknown): string {
  return dumps(value).replace(/[\u007f-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** An animated WebP, or a plain one of a single picture. `effort` 0 to 6 is libwebp's method. */
export async function encodeWebp(
  images: Raster,
  options: { fps: number; lossless: boolean; quality: number; effort: number; exif: Record<string, string> },
): Promise<Buffer> {
  const { batch, height, width, channels } = images;
  const bytes = Buffer.concat(Array.from({ length: batch }, (_, item) => toBytes(images, item)));
  const raw = { width, height: height * batch, channels: channels as 3 | 4, pageHeight: height };
  const { fps, lossless, quality, effort } = options;
  const picture = sharp(bytes, { raw }).withExif({ IFD0: options.exif });
  const delay = Array.from({ length: batch }, () => Math.trunc(1000 / fps));
  return picture.webp({ lossless, quality, effort, ...(batch > 1 && { delay, loop: 0 }) }).toBuffer();
}

/** A mask as ComfyUI shows it: three equal channels. */
export const maskAsImage = (mask: MaskBatch): ImageBatch => {
  const { batch, height, width } = mask;
  const image = newImage(batch, height, width, 3);
  for (let index = 0; index < image.data.length; index++) image.data[index] = mask.data[Math.trunc(index / 3)]!;
  return image;
};
