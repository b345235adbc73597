/** Tells moving PNG pictures from still ones; libvips shows the first frame of either. */

const SIGNATURE = Buffer.from("\x89PNG\r\n\x1a\n", "latin1");
/** Length and type before a chunk's data, checksum after it. */
const CHUNK_HEAD = 8;
const CHUNK_TAIL = 4;

/** Whether the bytes are a PNG with an `acTL` chunk, which stands before the picture data (PNG specification, third edition, 11.3.6.1). */
export function isAnimatedPng(bytes: Buffer): boolean {
  if (!bytes.subarray(0, SIGNATURE.length).equals(SIGNATURE)) return false;
  let at = SIGNATURE.length;
  while (at + CHUNK_HEAD <= bytes.length) {
    const type = bytes.toString("latin1", at + 4, at + CHUNK_HEAD);
    if (type === "acTL") return true;
    if (type === "IDAT") return false;
    at += CHUNK_HEAD + bytes.readUInt32BE(at) + CHUNK_TAIL;
  }
  return false;
}
