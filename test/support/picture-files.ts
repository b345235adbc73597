/** Small picture files, made byte by byte where no library writes what a test needs. */
import { crc32 } from "node:zlib";
import sharp from "sharp";

const raw = { width: 16, height: 16, channels: 3 as const };
const plain = () => sharp(Buffer.alloc(16 * 16 * 3, 90), { raw });

export const plainPng = () => plain().png().toBuffer();
export const plainJpeg = () => plain().jpeg().toBuffer();
export const plainWebp = () => plain().webp().toBuffer();

/** One chunk of a PNG; text is Latin-1. */
export function chunkOf(type: string, data: string | Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type), typeof data === "string" ? Buffer.from(data, "latin1") : data]);
  const [head, tail] = [Buffer.alloc(4), Buffer.alloc(4)];
  head.writeUInt32BE(body.length - 4);
  tail.writeUInt32BE(crc32(body));
  return Buffer.concat([head, body, tail]);
}

/** A GIF of one pixel with a comment before it. */
export function gifWithComment(comment: string): Buffer {
  const text = Buffer.from(comment);
  const pieces = Array.from({ length: Math.ceil(text.length / 255) }, (_, index) =>
    text.subarray(index * 255, (index + 1) * 255),
  );
  return Buffer.concat([
    Buffer.from("GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff", "latin1"),
    Buffer.from([0x21, 0xf9, 4, 0, 0, 0, 0, 0]),
    Buffer.from([0x21, 0xfe]),
    ...pieces.flatMap((piece) => [Buffer.from([piece.length]), piece]),
    Buffer.from("\0\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0\x3b", "latin1"),
  ]);
}
