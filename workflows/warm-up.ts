/** The graph that runs once before the worker is ready: it loads the default checkpoint, so that the first invocation does not. */
import type { Catalogue } from "../runtime/comfyui/catalogue.ts";
import type { Graph } from "../runtime/comfyui/graph.ts";
import warmUp from "./warm-up.json" with { type: "json" };

/** @returns undefined when the engine has no checkpoint to load. */
export function defaultWarmUpGraph(catalogue: Catalogue): Graph | undefined {
  const [checkpoint] = catalogue.checkpoints;
  if (checkpoint === undefined) return undefined;
  const graph: Graph = structuredClone(warmUp);
  graph["1"]!.inputs["ckpt_name"] = checkpoint;
  return graph;
}
