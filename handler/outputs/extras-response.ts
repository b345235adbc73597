/** A1111's answers of its extras: the pictures with their texts, and what was done to them (modules/postprocessing.py). */
import type { PythonFloat } from "../infotext/python.ts";
import { quote } from "../infotext/write.ts";
import type { Delivered } from "../request/request.ts";
import { describeOutput } from "./native-response.ts";
import type { Artifact } from "./output.ts";
import { withPngTexts } from "./png-text.ts";
import { readInfotext } from "./read-infotext.ts";

/** By A1111's labels, in its order. */
export type UpscalingInfo = Record<string, string | number | PythonFloat>;

/** As in `html_info` and in the pictures. */
export const writeUpscaling = (info: UpscalingInfo): string =>
  Object.entries(info)
    .map(([label, value]) => `${label}: ${quote(String(value))}`)
    .join(", ");

/** ComfyUI's own, where it made the picture. */
const GRAPH_TEXTS = new Set(["prompt", "workflow"]);

/**
 * A result, with all the texts of the file that it was made from.
 * @param source the file as it came.
 */
export function extrasArtifact(index: number, png: Buffer, source: Buffer, text: string): Artifact {
  const { infotext = "", items = {} } = readInfotext(source) ?? {};
  const texts = { ...items, ...(infotext !== "" && { parameters: infotext }), postprocessing: text };
  const name = `extras_${String(index).padStart(3, "0")}.png`;
  return { nodeId: "", name, type: "image", contentType: "image/png", bytes: withPngTexts(png, texts, GRAPH_TEXTS) };
}

/** `outputs` (ours) tells where the pictures lie when there is a bucket. */
export function encodeExtras(text: string, isBatch: boolean, { outputs }: Delivered) {
  const images = outputs.map(({ bytes }) => bytes.toString("base64"));
  const stored = outputs.filter(({ location }) => location !== undefined).map(describeOutput);
  return {
    html_info: `<p>${escapeHtml(text)}</p>`,
    ...(isBatch ? { images } : { image: images[0] }),
    ...(stored.length > 0 && { outputs: stored }),
  };
}

const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;" };

/** Python's `html.escape`. */
const escapeHtml = (text: string) => text.replace(/[&<>"']/g, (character) => ENTITIES[character]!);
