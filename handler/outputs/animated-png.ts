/** Tells moving PNG pictures from still ones; libvips shows the first frame of either. */
import { pngChunks } from "./png-text.ts";

/** Whether the bytes are a PNG with an `acTL` chunk, which stands before the picture data (PNG specification, third edition, 11.3.6.1). */
export function isAnimatedPng(bytes: Buffer): boolean {
  for (const { type } of pngChunks(bytes)) {
    if (type === "acTL") return true;
    if (type === "IDAT") return false;
  }
  return false;
}
