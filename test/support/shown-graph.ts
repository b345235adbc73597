/** Graphs in snapshots: one line a node. */
import type { Graph } from "../../runtime/comfyui/graph.ts";

export const shownGraph = (graph: Graph): string[] =>
  Object.entries(graph).map(([id, { class_type, inputs }]) => {
    const values = Object.entries(inputs).map(([name, value]) =>
      Array.isArray(value) ? `${name}=#${value.join(".")}` : `${name}=${JSON.stringify(value)}`,
    );
    return `#${id} ${class_type} ${values.join(" ")}`;
  });
