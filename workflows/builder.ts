/** Builds a graph node by node; ids count up, so the order of building is the order of outputs. */
import type { Graph, Link } from "../runtime/comfyui/graph.ts";

export class GraphBuilder {
  readonly graph: Graph = {};
  #lastId = 0;

  /** Adds a node; the function it returns makes links to its output slots. */
  add(classType: string, inputs: Record<string, unknown>): (slot: number) => Link {
    const id = String(++this.#lastId);
    this.graph[id] = { class_type: classType, inputs };
    return (slot) => [id, slot];
  }
}
