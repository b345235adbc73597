/** Builds a graph node by node; ids count up, so the order of building is the order of outputs. */
import type { Graph, Link } from "../runtime/comfyui/graph.ts";

type Outputs = (slot: number) => Link;

export class GraphBuilder {
  readonly graph: Graph = {};
  readonly #shared = new Map<string, Outputs>();
  #lastId = 0;

  /** Adds a node; the function it returns makes links to its output slots. */
  add(classType: string, inputs: Record<string, unknown>): Outputs {
    const id = String(++this.#lastId);
    this.graph[id] = { class_type: classType, inputs };
    return (slot) => [id, slot];
  }

  /** As {@link add}, unless the same node was shared before: then that one. */
  share(classType: string, inputs: Record<string, unknown>): Outputs {
    const key = JSON.stringify([classType, inputs]);
    const outputs = this.#shared.get(key) ?? this.add(classType, inputs);
    this.#shared.set(key, outputs);
    return outputs;
  }
}
