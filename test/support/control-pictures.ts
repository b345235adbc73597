/** Pictures that ControlNets look at, as requests carry them. */
import sharp from "sharp";

const SIDE = 64;

/** A bright square on black, `inset` pixels from the border; base64 PNG. */
export async function squarePicture(inset = 16, side = SIDE): Promise<string> {
  const pixels = Buffer.alloc(side * side * 3);
  for (let y = inset; y < side - inset; y++) pixels.fill(230, (y * side + inset) * 3, (y * side + side - inset) * 3);
  const png = await sharp(pixels, { raw: { width: side, height: side, channels: 3 } })
    .png()
    .toBuffer();
  return png.toString("base64");
}
