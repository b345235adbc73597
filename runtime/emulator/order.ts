/** In which order ComfyUI runs the nodes of a prompt: a topological dissolve that prefers what leads to an output soonest. */
import { isLink } from "../comfyui/graph.ts";
import type { Prompt } from "./prompt.ts";
import { PythonError } from "./python.ts";

interface Pending {
  blockedBy: number;
  blocks: Set<string>;
}

export class ExecutionOrder {
  readonly #pending = new Map<string, Pending>();
  readonly #prompt: Prompt;
  readonly #isCached: (id: string) => boolean;
  readonly #isOutput: (classType: string) => boolean;

  constructor(prompt: Prompt, isCached: (id: string) => boolean, isOutput: (classType: string) => boolean) {
    this.#prompt = prompt;
    this.#isCached = isCached;
    this.#isOutput = isOutput;
  }

  /**
   * Adds a node and everything it needs that is not cached.
   * @throws PythonError when an input of any name links to a node that the prompt lacks, which kills ComfyUI's worker thread
   */
  add(id: string): void {
    const stack = [id];
    const links: [from: string, to: string][] = [];
    for (let current = stack.pop(); current !== undefined; current = stack.pop()) {
      if (this.#pending.has(current)) continue;
      const node = this.#prompt[current];
      if (node === undefined)
        throw new PythonError("comfy_execution.graph.NodeNotFoundError", `Node ${current} not found`);
      this.#pending.set(current, { blockedBy: 0, blocks: new Set() });
      for (const value of Object.values(node.inputs ?? {})) {
        if (!isLink(value) || this.#isCached(value[0])) continue;
        stack.push(value[0]);
        links.push([value[0], current]);
      }
    }
    for (const [from, to] of links) {
      const { blocks } = this.#pending.get(from)!;
      if (blocks.has(to)) continue;
      blocks.add(to);
      this.#pending.get(to)!.blockedBy += 1;
    }
  }

  /** The node to run next; undefined when all have run. */
  next(): string | undefined {
    const ready = [...this.#pending].filter(([, { blockedBy }]) => blockedBy === 0).map(([id]) => id);
    const leadsToOutput = (id: string, steps: number): boolean =>
      steps === 0
        ? this.#isOutput(this.#prompt[id]!.class_type)
        : [...this.#pending.get(id)!.blocks].some((blocked) => leadsToOutput(blocked, steps - 1));
    for (const steps of [0, 1, 2]) {
      const preferred = ready.find((id) => leadsToOutput(id, steps));
      if (preferred !== undefined) return preferred;
    }
    return ready[0];
  }

  complete(id: string): void {
    for (const blocked of this.#pending.get(id)!.blocks) this.#pending.get(blocked)!.blockedBy -= 1;
    this.#pending.delete(id);
  }
}
