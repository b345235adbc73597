/** The picture that A1111's answers were recorded with. */
import sharp from "sharp";

/** Red grows to the right, green downwards; blue is a chessboard of 4 by 4 pixels. */
export function rampPixels(width: number, height: number): Buffer {
  const pixels = Buffer.alloc(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const blue = ((x >> 2) + (y >> 2)) % 2 === 1 ? 255 : 0;
      const red = Math.floor((x * 255) / Math.max(1, width - 1));
      pixels.set([red, Math.floor((y * 255) / Math.max(1, height - 1)), blue], (y * width + x) * 3);
    }
  }
  return pixels;
}

export async function rampPng(width: number, height: number, mode: "RGB" | "RGBA" | "L" = "RGB"): Promise<Buffer> {
  const picture = sharp(rampPixels(width, height), { raw: { width, height, channels: 3 } });
  if (mode === "L") picture.greyscale().toColourspace("b-w");
  if (mode === "RGBA") picture.ensureAlpha(0.5);
  return picture.png().toBuffer();
}
