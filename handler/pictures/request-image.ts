/** Pictures out of requests, read as A1111 (Pillow) reads them. */
import type { Metadata, Sharp } from "sharp";
import { EndpointError } from "../../runtime/errors.ts";
import { pngChunks } from "../outputs/png-text.ts";
import type { Raster } from "./raster.ts";

/** Pixels per side, and of all the pictures of one request together; a small file can claim a large picture. */
const MAX_SIDE = 16384;
const MAX_PIXELS = 64 * 2 ** 20;

/** What stands where in a file that is read, in Latin-1. */
const READ: [number, string][] = [
  [0, "\x89PNG\r\n\x1a\n"],
  [0, "\xff\xd8\xff"],
  [8, "WEBP"],
  [0, "GIF8"],
  [0, "II*\0"],
  [0, "MM\0*"],
  [4, "ftypavif"],
  [4, "ftypavis"],
];
const READ_NAMES = "PNG, JPEG, WebP, GIF, TIFF and AVIF";
/** What Pillow reads too, and how it starts. */
const NOT_READ: [string, string][] = [
  ["BMP", "BM"],
  ["ICO", "\0\0\x01\0"],
  ["PSD", "8BPS"],
  ["DDS", "DDS "],
  ["JPEG 2000", "\0\0\0\x0cjP"],
];

/** A picture of a request: its text, and the field that it came in, for errors. */
export interface RequestImage {
  field: string;
  text: string;
}

/**
 * The file that a request's text stands for: base64, bare or in a data URI.
 * @throws EndpointError `unsupported_feature` for an address, `invalid_request` where there is no base64.
 */
export function decodeRequestImage({ field, text }: RequestImage): Buffer {
  const trimmed = text.trim();
  if (/^https?:\/\//i.test(trimmed))
    throw new EndpointError(
      "unsupported_feature",
      `${field}: pictures are not fetched from addresses; send the file as base64`,
      { details: { field } },
    );
  const [, base64] = /^data:image\/[^,]*;base64,(.*)$/s.exec(trimmed) ?? [];
  const bytes = Buffer.from(base64 ?? (trimmed.startsWith("data:") ? "" : trimmed), "base64");
  if (bytes.length === 0) throw invalidImage(field, "it is not base64");
  return bytes;
}

/**
 * The first frame, upright by its EXIF orientation, colours as they are in the file (no profile is applied), 16 bits cut to 8.
 * Alpha stays where Pillow and A1111's `images.fix_image` keep it: not beside grey, not in GIF, not where one colour is declared transparent.
 * @throws EndpointError `invalid_request` for what is no picture, damaged or too large, `unsupported_feature` for addresses and formats that are not read.
 */
export async function readRequestImage(image: RequestImage): Promise<Raster> {
  const [raster] = await readRequestImages([image]);
  return raster!;
}

/** The same for all pictures of one request, which are bounded together. */
export async function readRequestImages(images: readonly RequestImage[]): Promise<Raster[]> {
  const opened = [];
  let pixels = 0;
  for (const image of images) {
    const picture = await openImage(image);
    const { width, height } = picture.metadata;
    pixels += width * height;
    if (Math.max(width, height) > MAX_SIDE || pixels > MAX_PIXELS)
      throw new EndpointError(
        "invalid_request",
        `${image.field}: a picture of ${width}x${height} is too large; at most ${MAX_SIDE} pixels per side, and ${MAX_PIXELS} in all pictures of a request`,
        { details: { field: image.field, width, height } },
      );
    opened.push(picture);
  }
  const rasters = [];
  for (const picture of opened) rasters.push(await decodePicture(picture));
  return rasters;
}

interface OpenedImage {
  field: string;
  file: Buffer;
  picture: Sharp;
  metadata: Metadata;
}

/** Reads the header alone. */
async function openImage(image: RequestImage): Promise<OpenedImage> {
  const { field } = image;
  const file = decodeRequestImage(image);
  checkFormat(file, field);
  const { default: sharp } = await import("sharp");
  const picture = sharp(file, { ignoreIcc: true, failOn: "error", limitInputPixels: false });
  try {
    const metadata = await picture.metadata();
    if (metadata.space === "cmyk") throw notRead(field, "CMYK pictures");
    return { field, file, picture, metadata };
  } catch (cause) {
    throw cause instanceof EndpointError ? cause : invalidImage(field, "its header is damaged", cause);
  }
}

async function decodePicture({ field, file, picture, metadata }: OpenedImage): Promise<Raster> {
  try {
    if (!keepsAlpha(file, metadata)) picture.removeAlpha();
    const { data, info } = await picture.autoOrient().raw().toBuffer({ resolveWithObject: true });
    return { width: info.width, height: info.height, channels: info.channels as 3 | 4, data };
  } catch (cause) {
    throw invalidImage(field, "it is damaged or cut off", cause);
  }
}

/** A whitelist: the library would also read SVG, which can name other files. */
function checkFormat(file: Buffer, field: string): void {
  const head = file.toString("latin1", 0, 32);
  if (READ.some(([at, signature]) => head.startsWith(signature, at))) return;
  const other = NOT_READ.find(([, start]) => head.startsWith(start));
  throw other ? notRead(field, `${other[0]} files`) : invalidImage(field, `it is none of ${READ_NAMES}`);
}

const PALETTE = 3;
const RGBA = 6;

/** Grey with alpha becomes grey in A1111; what a `tRNS` chunk says counts for palettes only, and there only when it is more than one invisible entry. */
function keepsAlpha(file: Buffer, { format, hasAlpha, space }: Metadata): boolean {
  if (!hasAlpha || format === "gif" || space === "b-w" || space === "grey16") return false;
  if (format !== "png") return true;
  const chunks = new Map([...pngChunks(file)].map(({ type, data }) => [type, data]));
  const colourType = chunks.get("IHDR")?.[9];
  if (colourType !== PALETTE) return colourType === RGBA;
  return !/^\xff*\0\xff*$/.test(chunks.get("tRNS")?.toString("latin1") ?? "");
}

/** A1111's own words, and what is wrong. */
function invalidImage(field: string, reason: string, cause?: unknown): EndpointError {
  return new EndpointError("invalid_request", `Invalid encoded image: ${field}: ${reason}`, {
    details: { field },
    cause,
  });
}

function notRead(field: string, what: string): EndpointError {
  return new EndpointError("unsupported_feature", `${field}: ${what} are not read, ${READ_NAMES} in RGB or grey are`, {
    details: { field },
  });
}
