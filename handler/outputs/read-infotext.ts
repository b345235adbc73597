/** Finds the infotext of a picture file as A1111 v1.10.1 does (modules/images.py, read_info_from_image), without decoding the picture. */

import { SDAPI_SAMPLERS } from "../../workflows/sdapi-samplers.ts";
import { PythonFloat } from "../infotext/python.ts";
import { exifOfJpeg, exifOfWebp, readComment } from "./exif.ts";
import { gifComment } from "./gif-comment.ts";
import { pngChunks, readPngTexts } from "./png-text.ts";

export interface PictureInfo {
  infotext: string;
  /** The other texts of the file, by keyword. */
  items: Record<string, string>;
}

const NONE: PictureInfo = { infotext: "", items: {} };

/** @returns undefined for what is no picture of a known format. */
export function readInfotext(file: Buffer): PictureInfo | undefined {
  const head = file.toString("latin1", 0, 12);
  if (head.startsWith("\x89PNG\r\n\x1a\n")) return readPng(file);
  if (head.startsWith("\xff\xd8\xff")) return { ...NONE, infotext: commentOf(exifOfJpeg(file)) };
  if (/^RIFF.{4}WEBP/s.test(head)) return { ...NONE, infotext: commentOf(exifOfWebp(file)) };
  if (/^GIF8[79]a/.test(head)) return readGif(file);
  // BMP and TIFF, in which nobody writes infotexts.
  return /^(BM|II\*\0|MM\0\*)/.test(head) ? NONE : undefined;
}

const commentOf = (exif: Buffer | undefined) => (exif && readComment(exif)) ?? "";

function readPng(file: Buffer): PictureInfo | undefined {
  const [header] = pngChunks(file);
  if (header?.type !== "IHDR" || header.data.length < 8) return undefined;
  const exif = pngChunks(file).find(({ type }) => type === "eXIf")?.data;
  const { parameters = "", ...items } = Object.fromEntries(readPngTexts(file));
  const size = `${header.data.readUInt32BE(0)}x${header.data.readUInt32BE(4)}`;
  return { infotext: novelAiInfotext(items, size) ?? (commentOf(exif) || parameters), items };
}

function readGif(file: Buffer): PictureInfo {
  const comment = gifComment(file);
  const version = file.toString("latin1", 0, 6);
  return comment === undefined
    ? { infotext: "", items: { version } }
    : { infotext: comment, items: { version, comment } };
}

/** NovelAI's own parameters in A1111's form; undefined where they are not NovelAI's or cannot be read. */
function novelAiInfotext(items: Record<string, string>, size: string): string | undefined {
  const { Software, Description, Comment } = items;
  if (Software !== "NovelAI" || Description === undefined || Comment === undefined) return undefined;
  const made = parseWithFloats(Comment);
  const { uc, steps, sampler, scale, seed } = (made ?? {}) as Record<string, unknown>;
  if ([uc, steps, sampler, scale, seed].includes(undefined)) return undefined;
  const name = SDAPI_SAMPLERS.find(({ aliases }) => aliases.includes(String(sampler)))?.name ?? "Euler a";
  return `${Description}\nNegative prompt: ${uc}\nSteps: ${steps}, Sampler: ${name}, CFG scale: ${scale}, Seed: ${seed}, Size: ${size}, Clip skip: 2, ENSD: 31337`;
}

type Reviver = (key: string, value: unknown, context: { source?: string }) => unknown;
/** TypeScript's library does not know the third argument yet. */
const parseJson = JSON.parse as (text: string, reviver: Reviver) => unknown;

/** Numbers keep what Python's reader keeps of them: the digits of an integer, and that a float is one. */
function parseWithFloats(text: string): unknown {
  try {
    return parseJson(text, (_key, value, { source = "" }) => {
      if (typeof value !== "number") return value;
      return /[.eE]/.test(source) ? new PythonFloat(value) : source;
    });
  } catch {
    return undefined;
  }
}
