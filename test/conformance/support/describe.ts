import { parseLenient } from "./lenient-json.ts";
import { describePicture } from "./picture.ts";

/** A body as the transcripts have it: JSON, text, or what the bytes are. */
export async function describeBody(bytes: Buffer, contentType: string): Promise<unknown> {
  try {
    return parseLenient(bytes.toString());
  } catch {
    if (contentType.startsWith("text")) return bytes.toString();
    if (bytes.length === 0) return "";
    return { bytes: bytes.length, first16: bytes.subarray(0, 16).toString("hex"), image: await describePicture(bytes) };
  }
}

/** Binary frames: u32 kind; kind 1: u32 format, picture; kind 4: u32 length, JSON, picture (all big-endian). */
export async function describeFrame(data: Buffer): Promise<Record<string, unknown>> {
  const event = data.readUInt32BE(0);
  const second = data.readUInt32BE(4);
  if (event === 1) return { event, format: second, image_size: await describePicture(data.subarray(8)) };
  if (event !== 4) return { event };
  const meta: unknown = JSON.parse(data.subarray(8, 8 + second).toString());
  return { event, meta, image_size: await describePicture(data.subarray(8 + second)) };
}
