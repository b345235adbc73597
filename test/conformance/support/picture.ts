import sharp from "sharp";

export interface Picture {
  /** Pillow's names: RGB, RGBA, L. */
  mode: string;
  width: number;
  height: number;
  frames: number;
  /** All frames below each other, 8 bits a channel; of an animated PNG the first frame only. */
  pixels: Buffer;
}

const MODES: Readonly<Record<number, string>> = { 1: "L", 2: "LA", 3: "RGB", 4: "RGBA" };

/** Decodes a PNG, JPEG or WebP without changing a value. */
export async function decodePicture(bytes: Buffer): Promise<Picture> {
  const { data, info } = await sharp(bytes, { animated: true }).raw().toBuffer({ resolveWithObject: true });
  const frames = info.pages ?? (bytes.toString("latin1").split("fcTL").length - 1 || 1);
  const height = info.pageHeight ?? info.height;
  return { mode: MODES[info.channels] ?? "?", width: info.width, height, frames, pixels: data };
}

/** Format, mode, width and height as Pillow tells them, or null when it is no picture. */
export async function describePicture(bytes: Buffer): Promise<[string, string, number, number] | null> {
  try {
    const { format, channels, width, height } = await sharp(bytes).metadata();
    return [format.toUpperCase(), MODES[channels] ?? "?", width, height];
  } catch {
    return null;
  }
}
