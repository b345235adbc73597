/** Text chunks of PNG files, read and written (PNG specification, third edition, 11.3.3); what they stand between is copied byte for byte. */
import { crc32, inflateSync } from "node:zlib";

const SIGNATURE = Buffer.from("\x89PNG\r\n\x1a\n", "latin1");
/** Length and type before a chunk's data, checksum after it. */
const HEAD = 8;
const TAIL = 4;
/** A compressed text may not become larger; Pillow has the same limit. */
const MAX_INFLATED = 1 << 20;

export interface PngChunk {
  type: string;
  /** Shorter than it should be where the file is cut off. */
  data: Buffer;
  /** Where the chunk starts and the next one should. */
  start: number;
  end: number;
}

/** The chunks as far as there are any; none where it is no PNG. */
export function* pngChunks(png: Buffer): Generator<PngChunk> {
  if (!png.subarray(0, SIGNATURE.length).equals(SIGNATURE)) return;
  for (let start = SIGNATURE.length; start + HEAD <= png.length; ) {
    const length = png.readUInt32BE(start);
    const data = png.subarray(start + HEAD, start + HEAD + length);
    const end = start + HEAD + length + TAIL;
    yield { type: png.toString("latin1", start + 4, start + HEAD), data, start, end };
    start = end;
  }
}

/** Texts by keyword, the last of a keyword; what is damaged or too large is left out. */
export function readPngTexts(png: Buffer): Map<string, string> {
  const texts = new Map<string, string>();
  for (const { type, data } of pngChunks(png)) {
    const text = readers[type]?.(data);
    if (text !== undefined) texts.set(keywordOf(data), text);
  }
  return texts;
}

const keywordOf = (data: Buffer) => data.toString("latin1", 0, data.indexOf(0));

const readers: Record<string, (data: Buffer) => string | undefined> = {
  tEXt: (data) => afterNul(data)?.toString("latin1"),
  zTXt: (data) => inflated(afterNul(data)?.subarray(1))?.toString("latin1"),
  // Keyword, compression flag and method, language, translated keyword.
  iTXt(data) {
    const rest = afterNul(data);
    const text = afterNul(afterNul(rest?.subarray(2)));
    return (rest?.[0] === 1 ? inflated(text) : text)?.toString("utf8");
  },
};

function afterNul(data: Buffer | undefined): Buffer | undefined {
  const nul = data?.indexOf(0) ?? -1;
  return nul < 0 ? undefined : data!.subarray(nul + 1);
}

function inflated(data: Buffer | undefined): Buffer | undefined {
  try {
    return data && inflateSync(data, { maxOutputLength: MAX_INFLATED });
  } catch {
    return undefined;
  }
}

/**
 * The file without the texts of some keywords, and with others before its picture data: tEXt where Latin-1 can hold the text, else iTXt.
 * What is no PNG, or has no picture data, stays as it is.
 */
export function withPngTexts(png: Buffer, texts: Record<string, string>, removed: ReadonlySet<string>): Buffer {
  const parts: Buffer[] = [];
  let isWritten = false;
  let copied = 0;
  for (const { type, data, start, end } of pngChunks(png)) {
    const isRemoved = type in readers && removed.has(keywordOf(data));
    const isPlace: boolean = type === "IDAT" && !isWritten;
    if (!isRemoved && !isPlace) continue;
    parts.push(png.subarray(copied, start));
    if (isPlace) parts.push(...Object.entries(texts).map(textChunk));
    isWritten ||= isPlace;
    copied = isRemoved ? end : start;
  }
  return isWritten ? Buffer.concat([...parts, png.subarray(copied)]) : png;
}

function textChunk([keyword, text]: [string, string]): Buffer {
  if (/^[\0-\xff]*$/.test(text)) return chunk("tEXt", Buffer.from(`${keyword}\0${text}`, "latin1"));
  return chunk("iTXt", Buffer.from(`${keyword}\0\0\0\0\0${text}`, "utf8"));
}

function chunk(type: string, data: Buffer): Buffer {
  const bytes = Buffer.alloc(HEAD + data.length + TAIL);
  bytes.writeUInt32BE(data.length, 0);
  bytes.write(type, 4, "latin1");
  data.copy(bytes, HEAD);
  bytes.writeUInt32BE(crc32(bytes.subarray(4, HEAD + data.length)), HEAD + data.length);
  return bytes;
}
