/** The one entry of EXIF that carries an infotext, UserComment (Exif 3.0, 4.6.5), and the places that JPEG and WebP have for EXIF. */

const EXIF_IFD = 0x8769;
const USER_COMMENT = 0x9286;
const LONG = 4;
const UNDEFINED = 7;
const ENTRY = 12;

/** Eight bytes before the text say how it is written. */
const UNICODE = Buffer.from("UNICODE\0", "latin1");
const ASCII = Buffer.from("ASCII\0\0\0", "latin1");
const UNTOLD = Buffer.alloc(8);

/** A big-endian TIFF with nothing but the comment, as UTF-16. */
export function exifWithComment(text: string): Buffer {
  const comment = Buffer.concat([UNICODE, Buffer.from(text, "utf16le").swap16()]);
  const [firstIfd, exifIfd, value] = [8, 26, 44];
  const head = Buffer.alloc(value);
  head.write("MM\0*", "latin1");
  head.writeUInt32BE(firstIfd, 4);
  writeIfd(head, firstIfd, [EXIF_IFD, LONG, 1, exifIfd]);
  writeIfd(head, exifIfd, [USER_COMMENT, UNDEFINED, comment.length, value]);
  return Buffer.concat([head, comment]);
}

/** A directory of one entry, and none after it. */
function writeIfd(tiff: Buffer, at: number, [tag, type, count, value]: [number, number, number, number]): void {
  tiff.writeUInt16BE(1, at);
  tiff.writeUInt16BE(tag, at + 2);
  tiff.writeUInt16BE(type, at + 4);
  tiff.writeUInt32BE(count, at + 6);
  tiff.writeUInt32BE(value, at + 10);
}

/** The comment of a TIFF of either byte order, as piexif and A1111 read it; undefined where there is none or it is damaged. */
export function readComment(tiff: Buffer): string | undefined {
  const isLittle = tiff.toString("latin1", 0, 2) === "II";
  const u16 = (at: number) => (isLittle ? tiff.readUInt16LE(at) : tiff.readUInt16BE(at));
  const u32 = (at: number) => (isLittle ? tiff.readUInt32LE(at) : tiff.readUInt32BE(at));
  const find = (ifd: number, tag: number) => {
    const entries = Array.from({ length: u16(ifd) }, (_, index) => ifd + 2 + index * ENTRY);
    return entries.find((at) => u16(at) === tag);
  };
  try {
    const pointer = find(u32(4), EXIF_IFD);
    const entry = pointer === undefined ? undefined : find(u32(pointer + 8), USER_COMMENT);
    if (entry === undefined) return undefined;
    const count = u32(entry + 4);
    const start = count > 4 ? u32(entry + 8) : entry + 8;
    return decodeComment(tiff.subarray(start, start + count));
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function decodeComment(comment: Buffer): string {
  const [code, text] = [comment.subarray(0, 8), comment.subarray(8)];
  if (code.equals(UNICODE))
    return Buffer.from(text.subarray(0, text.length & ~1))
      .swap16()
      .toString("utf16le");
  return (code.equals(ASCII) || code.equals(UNTOLD) ? text : comment).toString("utf8");
}

const JPEG_EXIF = Buffer.from("Exif\0\0", "latin1");
const APP1 = 0xe1;
const START_OF_SCAN = 0xda;
/** A segment's length has two bytes and counts itself. */
const MAX_SEGMENT = 0xffff - 2;

/** With the EXIF right after the start; a JPEG has no room for more than 64 KB of it, and is left without then. */
export function jpegWithExif(jpeg: Buffer, exif: Buffer): Buffer {
  const data = Buffer.concat([JPEG_EXIF, exif]);
  if (data.length > MAX_SEGMENT) return jpeg;
  const head = Buffer.from([0xff, APP1, 0, 0]);
  head.writeUInt16BE(data.length + 2, 2);
  return Buffer.concat([jpeg.subarray(0, 2), head, data, jpeg.subarray(2)]);
}

export function exifOfJpeg(jpeg: Buffer): Buffer | undefined {
  for (let at = 2; at + 4 <= jpeg.length && jpeg[at] === 0xff && jpeg[at + 1] !== START_OF_SCAN; ) {
    const data = jpeg.subarray(at + 4, at + 2 + jpeg.readUInt16BE(at + 2));
    if (jpeg[at + 1] === APP1 && data.subarray(0, 6).equals(JPEG_EXIF)) return data.subarray(6);
    at += 2 + jpeg.readUInt16BE(at + 2);
  }
  return undefined;
}

const HAS_ALPHA = 0x10;
const HAS_EXIF = 0x08;

/** RIFF chunks after the file's own twelve bytes. */
function webpChunks(webp: Buffer): { type: string; data: Buffer }[] {
  const chunks = [];
  for (let at = 12; at + 8 <= webp.length; ) {
    const size = webp.readUInt32LE(at + 4);
    chunks.push({ type: webp.toString("latin1", at, at + 4), data: webp.subarray(at + 8, at + 8 + size) });
    at += 8 + size + (size % 2);
  }
  return chunks;
}

export function exifOfWebp(webp: Buffer): Buffer | undefined {
  const data = webpChunks(webp).find(({ type }) => type === "EXIF")?.data;
  return data?.subarray(0, 6).equals(JPEG_EXIF) ? data.subarray(6) : data;
}

/** With the EXIF after the picture, and the extended header that announces it (RFC 9649, 2.7). */
export function webpWithExif(webp: Buffer, exif: Buffer): Buffer {
  const chunks = webpChunks(webp);
  const header = Buffer.from(chunks[0]?.type === "VP8X" ? chunks.shift()!.data : extendedHeader(chunks[0]));
  header[0]! |= HAS_EXIF;
  const body = [{ type: "VP8X", data: header }, ...chunks, { type: "EXIF", data: exif }].map(({ type, data }) => {
    const head = Buffer.alloc(8, type, "latin1");
    head.writeUInt32LE(data.length, 4);
    return Buffer.concat([head, data, Buffer.alloc(data.length % 2)]);
  });
  const file = Buffer.concat([Buffer.from("RIFF\0\0\0\0WEBP", "latin1"), ...body]);
  file.writeUInt32LE(file.length - 8, 4);
  return file;
}

/** Flags, and width and height less one in 24 bits, from the header of the picture data. */
function extendedHeader(picture: { type: string; data: Buffer } | undefined): Buffer {
  const header = Buffer.alloc(10);
  if (picture === undefined) return header;
  const { type, data } = picture;
  const bits = type === "VP8L" ? data.readUInt32LE(1) : 0;
  const [width, height] =
    type === "VP8L" ? [bits & 0x3fff, (bits >>> 14) & 0x3fff] : [size14(data, 6) - 1, size14(data, 8) - 1];
  if (type === "VP8L" && (bits >>> 28) & 1) header[0] = HAS_ALPHA;
  header.writeUIntLE(width, 4, 3);
  header.writeUIntLE(height, 7, 3);
  return header;
}

const size14 = (data: Buffer, at: number) => data.readUInt16LE(at) & 0x3fff;
