/** ComfyUI's cache of node results. The key is the class and the inputs of a node and of all its ancestors, never its id. */
import { isLink } from "../comfyui/graph.ts";
import type { NodeContext, NodeImplementation } from "./nodes/node.ts";
import type { Prompt, PromptNode } from "./prompt.ts";
import { dumps, PythonError, plain } from "./python.ts";

export interface NodeRun {
  /** One list of values per output slot. */
  outputs: unknown[][];
  ui: Record<string, unknown[]> | undefined;
}

export type CacheMode = { kind: "current-prompt" } | { kind: "none" } | { kind: "lru"; size: number };

export class NodeCache {
  readonly #runs = new Map<string, NodeRun>();
  readonly #nodes: Record<string, NodeImplementation>;
  readonly #mode: CacheMode;
  #keys = new Map<string, string>();
  #uncachable = 0;

  constructor(nodes: Record<string, NodeImplementation>, mode: CacheMode) {
    this.#nodes = nodes;
    this.#mode = mode;
  }

  /**
   * Computes the keys of a prompt's nodes and forgets what the mode does not keep.
   * @throws PythonError when any node, even an unconnected one, has no `inputs`
   */
  setPrompt(prompt: Prompt, context: Pick<NodeContext, "folders">): void {
    const changes = new Map<string, string>();
    this.#keys = new Map(Object.keys(prompt).map((id) => [id, this.#key(prompt, id, changes, context)]));
    if (this.#mode.kind !== "current-prompt") return;
    const used = new Set(this.#keys.values());
    for (const key of this.#runs.keys()) if (!used.has(key)) this.#runs.delete(key);
  }

  get(id: string): NodeRun | undefined {
    const key = this.#keys.get(id);
    const run = key === undefined ? undefined : this.#runs.get(key);
    if (run !== undefined && key !== undefined) this.set(id, run);
    return run;
  }

  set(id: string, run: NodeRun): void {
    const key = this.#keys.get(id);
    if (key === undefined || this.#mode.kind === "none") return;
    this.#runs.delete(key);
    this.#runs.set(key, run);
    if (this.#mode.kind === "lru" && this.#runs.size > this.#mode.size)
      this.#runs.delete(this.#runs.keys().next().value!);
  }

  clear(): void {
    this.#runs.clear();
  }

  #key(prompt: Prompt, id: string, changes: Map<string, string>, context: Pick<NodeContext, "folders">): string {
    const ancestors = [id];
    for (const current of ancestors) {
      const node = prompt[current];
      if (node === undefined) continue;
      if (node.inputs === undefined) throw new PythonError("KeyError", "'inputs'");
      for (const [, value] of sortedInputs(node))
        if (isLink(value) && !ancestors.includes(value[0])) ancestors.push(value[0]);
    }
    const signatures = ancestors.map((current) => {
      const node = prompt[current];
      if (node === undefined) return this.#never();
      const inputs = sortedInputs(node).map(([name, value]) => [
        name,
        isLink(value) ? ["ancestor", ancestors.indexOf(value[0]), value[1]] : value,
      ]);
      if (!changes.has(current)) changes.set(current, this.#change(node, context));
      return [node.class_type, changes.get(current), inputs];
    });
    return dumps(signatures);
  }

  /** IS_CHANGED as text; it sees the literal inputs only, and NaN or an exception means: never cached. */
  #change(node: PromptNode, context: Pick<NodeContext, "folders">): string {
    const isChanged = this.#nodes[node.class_type]?.isChanged;
    if (isChanged === undefined) return "false";
    const literals = Object.entries(node.inputs ?? {}).map(([name, value]) => [
      name,
      isLink(value) ? null : plain(value),
    ]);
    try {
      node.is_changed = [isChanged(Object.fromEntries(literals), context)];
    } catch {
      node.is_changed = Number.NaN;
    }
    const text = dumps(node.is_changed);
    return text.includes("NaN") ? this.#never() : text;
  }

  #never(): string {
    this.#uncachable += 1;
    return `never the same ${this.#uncachable}`;
  }
}

function sortedInputs(node: PromptNode): [string, unknown][] {
  return Object.entries(node.inputs ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
}
