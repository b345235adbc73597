/** From a produced file's bytes to what the caller gets: the same bytes, or a still picture in the format that was asked for. */
import mime from "mime";
import { EndpointError } from "../../runtime/errors.ts";
import type { Conversion } from "../request/delivery.ts";
import { isAnimatedPng } from "./animated-png.ts";
import type { Artifact, OutputType, ProducedFile, ProducedText } from "./output.ts";

const LATENT = "latent";
/** Pictures of other kinds (EXR, SVG) pass as they are. */
const CONVERTIBLE = new Set(["image/png", "image/jpeg", "image/webp", "image/gif", "image/avif", "image/tiff"]);

/** @throws EndpointError `internal` when a picture cannot be converted. */
export async function encodeFile(
  { nodeId, name }: ProducedFile,
  bytes: Buffer,
  convert: Conversion | undefined,
): Promise<Artifact> {
  const contentType = mime.getType(name) ?? "application/octet-stream";
  const original = { nodeId, name, type: typeOf(name, contentType), contentType, bytes };
  if (convert === undefined || !CONVERTIBLE.has(contentType)) return original;
  return (await convertPicture(original, convert)) ?? original;
}

export function encodeText({ nodeId, name, text }: ProducedText): Artifact {
  return { nodeId, name, type: "text", contentType: "text/plain; charset=utf-8", bytes: Buffer.from(text) };
}

/** @returns undefined for a moving picture, which passes as it is. */
async function convertPicture(original: Artifact, { format, options }: Conversion): Promise<Artifact | undefined> {
  if (isAnimatedPng(original.bytes)) return undefined;
  const { default: sharp } = await import("sharp");
  try {
    const picture = sharp(original.bytes, { animated: true });
    const { pages = 1 } = await picture.metadata();
    if (pages > 1) return undefined;
    const converted = format === "webp" ? picture.webp(options) : picture.jpeg(options);
    // sharp's bytes may lie on shared memory, which the S3 client refuses.
    const bytes = Buffer.from(await converted.toBuffer());
    const name = original.name.replace(/(\.[^./]*)?$/, `.${format}`);
    return { ...original, name, contentType: format === "webp" ? "image/webp" : "image/jpeg", bytes };
  } catch (cause) {
    throw new EndpointError("internal", `the output "${original.name}" could not be converted to ${format}`, { cause });
  }
}

function typeOf(name: string, contentType: string): OutputType {
  if (name.endsWith(`.${LATENT}`)) return LATENT;
  const [family] = contentType.split("/");
  return family === "image" || family === "video" || family === "audio" || family === "text" ? family : "file";
}
