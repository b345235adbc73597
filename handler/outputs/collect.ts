/** From what the nodes reported to the list of produced files and texts. */
import type { FileReference } from "../../runtime/comfyui/client.ts";
import type { NodeOutputs } from "../../runtime/comfyui/prompt-record.ts";
import type { ProducedFile, ProducedText } from "./output.ts";

/** Keys whose plain strings are the output itself. */
const TEXT_KEYS = new Set(["text", "string"]);

/**
 * Lists files by node id (numbers by size) and position. Any key may hold files: what has a `filename` is one. Temporary files (previews)
 * are no outputs.
 * @param folder the job's own folder, which is not part of a name.
 */
export function collectOutputs(
  outputs: NodeOutputs,
  folder: string,
): { files: ProducedFile[]; texts: ProducedText[]; temporary: FileReference[] } {
  const files: ProducedFile[] = [];
  const texts: ProducedText[] = [];
  const temporary: FileReference[] = [];
  const names = new Set<string>();
  const unique = (name: string) => {
    let candidate = name;
    for (let n = 2; names.has(candidate); n++) candidate = name.replace(/(\.[^./]*)?$/, `-${n}$1`);
    names.add(candidate);
    return candidate;
  };

  const byNodeId = Object.entries(outputs).sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true }));
  for (const [nodeId, report] of byNodeId) {
    for (const [key, value] of Object.entries(report)) {
      const entries = Array.isArray(value) ? value : [value];
      for (const entry of entries) {
        if (typeof entry === "string" && TEXT_KEYS.has(key))
          texts.push({ nodeId, name: unique(`${nodeId}-${key}.txt`), text: entry });
        const reference = asReference(entry);
        if (reference?.type === "temp") temporary.push(reference);
        else if (reference) files.push({ nodeId, name: unique(nameOf(reference, folder)), reference });
      }
    }
  }
  return { files, texts, temporary };
}

function asReference(entry: unknown): FileReference | undefined {
  if (typeof entry !== "object" || entry === null) return undefined;
  const { filename, subfolder = "", type = "output" } = entry as Partial<FileReference>;
  return typeof filename === "string" ? { filename, subfolder, type } : undefined;
}

function nameOf({ filename, subfolder }: FileReference, folder: string): string {
  const path = subfolder.split(/[/\\]/).filter((part, index) => part !== "" && !(index === 0 && part === folder));
  return [...path, filename].join("/");
}
