/** The API-format graph: ComfyUI's wire form of what the editor shows. */

/** `[id of the node it comes from, output slot]` */
export type Link = readonly [nodeId: string, slot: number];

export interface GraphNode {
  class_type: string;
  /** Input name to a literal or a {@link Link}. 64-bit integers are `JSON.rawJSON` objects (see `runtime/json.ts`). */
  inputs: Record<string, unknown>;
  _meta?: { title?: string };
}

export type Graph = Record<string, GraphNode>;

/** What ComfyUI's `is_link` accepts: a list of two whose first item is text and whose second is a number. */
export function isLink(value: unknown): value is Link {
  return Array.isArray(value) && value.length === 2 && typeof value[0] === "string" && typeof value[1] === "number";
}

const MODEL_FILE = /\.(safetensors|sft|ckpt|pth?|bin|gguf)$/i;

/** Model files that a graph names. */
export function modelsOf(graph: Graph): ReadonlySet<string> {
  const values = Object.values(graph).flatMap(({ inputs }) => Object.values(inputs));
  return new Set(values.filter((value) => typeof value === "string" && MODEL_FILE.test(value)) as string[]);
}
