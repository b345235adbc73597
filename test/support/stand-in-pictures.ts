/** The pictures that A1111's recordings name instead of holding them: ramps and masks with white boxes. */
import sharp from "sharp";

const SIZE = /(\d+)(?:x(\d+))?/;
const BOX = /\((\d+),(\d+),(\d+),(\d+)\)/;

/** `@img512x512`, `@mask512 white(128,128,384,384)` or `@mask512 blank` as base64 of a PNG file; anything else as it is. */
export async function standInPicture(name: unknown): Promise<unknown> {
  if (typeof name !== "string" || !name.startsWith("@")) return name;
  const [, first, second = first] = SIZE.exec(name)!;
  const [width, height] = [Number(first), Number(second)];
  const [, ...corners] = BOX.exec(name) ?? [];
  const [left = 0, top = 0, right = 0, bottom = 0] = corners.map(Number);
  const isWhite = (x: number, y: number) => x >= left && x < right && y >= top && y < bottom;
  const colourAt = (x: number, y: number): number[] => {
    if (!name.startsWith("@mask")) return [(x * 255) / (width - 1), (y * 255) / (height - 1), 0];
    const grey = isWhite(x, y) ? 255 : 0;
    return [grey, grey, grey];
  };
  const pixels = Array.from({ length: width * height }, (_, index) =>
    colourAt(index % width, Math.floor(index / width)),
  );
  const picture = sharp(Uint8Array.from(pixels.flat()), { raw: { width, height, channels: 3 } });
  return (await picture.png({ compressionLevel: 1 }).toBuffer()).toString("base64");
}
