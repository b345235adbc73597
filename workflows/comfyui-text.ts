/** Weighted text in ComfyUI's prompt syntax. Its rules: ComfyUI's comfy/sd1_clip.py token_weights. */
import type { Segment } from "./prompt-attention.ts";
import { SPACE } from "./python-text.ts";

const MARK = "embedding:";

/**
 * Flat `(text:weight)` groups, never nested: ComfyUI's explicit weights replace those around them. Square brackets are text there.
 * @param segments with finite weights.
 * @param embeddings names of textual inversions, which A1111 finds as bare words and ComfyUI wants marked.
 */
export function toComfyuiText(segments: readonly Segment[], embeddings: readonly string[] = []): string {
  const mark = embeddingMarker(embeddings);
  let result = "";
  for (const { text, weight } of segments) {
    // ComfyUI marks escaped brackets with this character inside.
    const plain = text.replaceAll("\0", "");
    if (plain === "") continue;
    const escaped = mark(plain).replace(/[()]/g, "\\$&");
    if (weight === 1) result += escaped;
    // A backslash here would escape the bracket that opens the group.
    else result += `${result.endsWith("\\") ? " " : ""}(${escaped}:${formatWeight(weight)})`;
  }
  return result;
}

/** Six decimals at most. */
const formatWeight = (weight: number) => String(Number(weight.toFixed(6)));

/** ComfyUI takes `embedding:` only at the start or after a blank, and its name up to the next blank, less commas at its end. */
function embeddingMarker(embeddings: readonly string[]): (text: string) => string {
  if (embeddings.length === 0) return (text) => text;
  const byName = new Map(
    embeddings.flatMap((file) => [file, file.split("/").at(-1)!].map((name) => [name.toLowerCase(), file])),
  );
  const longestFirst = [...byName.keys()].sort((a, b) => b.length - a.length);
  const names = longestFirst.map((name) => escapePattern(name)).join("|");
  const pattern = new RegExp(`(^|[${SPACE},])(?:${MARK})?(${names})(?=($|[${SPACE}]|,+(?:$|[${SPACE}]))|,)`, "giu");
  return (text) =>
    text.replace(pattern, (_, before: string, name: string, end: string | undefined) =>
      [before === "," ? ", " : before, MARK, byName.get(name.toLowerCase()), end === undefined ? " " : ""].join(""),
    );
}

const escapePattern = (name: string) => name.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");

/** Names that a text marks as ComfyUI's embeddings. */
export const markedEmbeddings = (text: string): string[] =>
  [...text.matchAll(new RegExp(`(?<=^|[${SPACE},])${MARK}([^${SPACE},]*)`, "gu"))].map(([, name]) => name!);
