/** From what the nodes reported to the list of produced files and texts. */
import type { FileReference } from "../../runtime/comfyui/client.ts";
import type { NodeOutputs } from "../../runtime/comfyui/prompt-record.ts";
import type { ProducedFile, ProducedText } from "./output.ts";

/** Keys whose plain strings are the output itself. */
const TEXT_KEYS = new Set(["text", "string"]);
const SEPARATOR = /[/\\]/g;

export interface Collected {
  files: ProducedFile[];
  texts: ProducedText[];
  /** What this prompt wrote outside of the job's folder, previews included; a file of the input folder is the operator's own. */
  strays: FileReference[];
}

/**
 * Lists files by node id (numbers by size) and position. Any key may hold files: what has a `filename` is one. Temporary files (previews)
 * are no outputs.
 * @param folder the job's own folder, which is not part of a name.
 */
export function collectOutputs(outputs: NodeOutputs, folder: string): Collected {
  const files: ProducedFile[] = [];
  const texts: ProducedText[] = [];
  const strays: FileReference[] = [];

  const byNodeId = Object.entries(outputs).sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true }));
  for (const [nodeId, report] of byNodeId) {
    for (const [key, value] of Object.entries(report)) {
      const entries = Array.isArray(value) ? value : [value];
      for (const entry of entries) {
        if (typeof entry === "string" && TEXT_KEYS.has(key))
          texts.push({ nodeId, name: `${nodeId.replaceAll(SEPARATOR, "_")}-${key}.txt`, text: entry });
        const reference = asReference(entry);
        if (reference === undefined) continue;
        if (reference.type !== "temp") files.push({ nodeId, name: nameOf(reference, folder), reference });
        if (reference.type !== "input" && !isInside(reference, folder)) strays.push(reference);
      }
    }
  }
  return { files, texts, strays };
}

function asReference(entry: unknown): FileReference | undefined {
  if (typeof entry !== "object" || entry === null) return undefined;
  const { filename, subfolder, type } = entry as Record<keyof FileReference, unknown>;
  if (typeof filename !== "string") return undefined;
  return {
    filename,
    subfolder: typeof subfolder === "string" ? subfolder : "",
    type: type === "temp" || type === "input" ? type : "output",
  };
}

const isInside = ({ subfolder, type }: FileReference, folder: string) =>
  type === "output" && subfolder.split(SEPARATOR)[0] === folder;

function nameOf({ filename, subfolder }: FileReference, folder: string): string {
  const path = `${subfolder}/${filename}`.split(SEPARATOR).filter((part) => !/^\.{0,2}$/.test(part));
  return path.slice(path[0] === folder ? 1 : 0).join("/");
}
