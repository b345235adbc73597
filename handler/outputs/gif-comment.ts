/** The comment of a GIF file (GIF89a specification, sections 18 to 24). */

const HEADER = 13;
const EXTENSION = 0x21;
const COMMENT = 0xfe;

/** The one before the first picture; undefined where there is none or the file is cut off. */
export function gifComment(gif: Buffer): string | undefined {
  const flags = gif[10] ?? 0;
  // A global colour table follows the header, three bytes a colour.
  let at = HEADER + (flags & 0x80 ? 3 << ((flags & 7) + 1) : 0);
  while (gif[at] === EXTENSION) {
    const { data, end } = readSubBlocks(gif, at + 2);
    if (gif[at + 1] === COMMENT) return data.toString("utf8");
    at = end;
  }
  return undefined;
}

/** Pieces of up to 255 bytes with their lengths before them, up to one of length 0. */
function readSubBlocks(gif: Buffer, start: number): { data: Buffer; end: number } {
  const pieces: Buffer[] = [];
  let at = start;
  for (let size = gif[at] ?? 0; size > 0; size = gif[at] ?? 0) {
    pieces.push(gif.subarray(at + 1, at + 1 + size));
    at += 1 + size;
  }
  return { data: Buffer.concat(pieces), end: at + 1 };
}
