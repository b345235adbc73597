/** Looks at pictures. */
import sharp from "sharp";

export interface Pixels {
  width: number;
  height: number;
  /** RGB, 8 bits. */
  data: Buffer;
}

/** @throws when it is no picture, or a damaged one. */
export async function decode(bytes: Buffer): Promise<Pixels> {
  const { data, info } = await sharp(bytes, { failOn: "warning" })
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, data };
}

/** The text of a PNG's chunk with the keyword, as its writer wrote it. */
export async function pngText(bytes: Buffer, keyword: string): Promise<string | undefined> {
  const { comments = [] } = await sharp(bytes).metadata();
  return comments.find((comment) => comment.keyword === keyword)?.text;
}
