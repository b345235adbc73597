/** Puts infotexts into pictures where A1111 puts them: PNG text `parameters`, EXIF UserComment of JPEG and WebP. */
import { exifWithComment, jpegWithExif, webpWithExif } from "./exif.ts";
import type { Artifact } from "./output.ts";
import { withPngTexts } from "./png-text.ts";

/** ComfyUI's own: the graph that was run, which the caller of an imitated API has not written. */
const GRAPH_TEXTS = new Set(["prompt", "workflow"]);

/** @param infotext undefined: none, as A1111's option `enable_pnginfo` false; the graph goes all the same. */
export function embedInfotext(artifact: Artifact, infotext: string | undefined): Artifact {
  const bytes = embedders[artifact.contentType]?.(artifact.bytes, infotext) ?? artifact.bytes;
  return { ...artifact, bytes };
}

const embedders: Record<string, (bytes: Buffer, infotext: string | undefined) => Buffer> = {
  "image/png": (bytes, infotext) =>
    withPngTexts(bytes, infotext === undefined ? {} : { parameters: infotext }, GRAPH_TEXTS),
  "image/jpeg": (bytes, infotext) => (infotext === undefined ? bytes : jpegWithExif(bytes, exifWithComment(infotext))),
  "image/webp": (bytes, infotext) => (infotext === undefined ? bytes : webpWithExif(bytes, exifWithComment(infotext))),
};
