/** Graphs as people read them. */
import type { Graph } from "../../runtime/comfyui/graph.ts";

/** One line a node. */
export const shown = (graph: Graph): string[] =>
  Object.entries(graph).map(([id, { class_type, inputs }]) => {
    const values = Object.entries(inputs).map(([name, value]) =>
      Array.isArray(value) ? `${name}=#${value.join(".")}` : `${name}=${JSON.stringify(value)}`,
    );
    return `#${id} ${class_type} ${values.join(" ")}`;
  });
