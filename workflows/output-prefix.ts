/** Gives every job a folder of its own among ComfyUI's outputs. */
import type { Graph } from "../runtime/comfyui/graph.ts";
import { invalidWorkflow } from "../runtime/comfyui/rejection.ts";

const PREFIX_INPUT = "filename_prefix";

/**
 * Puts `folder` before every file name prefix of a graph, the rest unchanged. Names are then unique, a graph that is sent again saves
 * again (ComfyUI's cache would answer with the names of files long removed), and clearing up is the removal of one folder.
 * @throws EndpointError `invalid_workflow` for a prefix that leaves the output folder.
 */
export function withOutputFolder(graph: Graph, folder: string): Graph {
  return Object.fromEntries(
    Object.entries(graph).map(([id, node]) => {
      const prefix = node.inputs[PREFIX_INPUT];
      if (typeof prefix !== "string") return [id, node];
      if (isEscape(prefix)) {
        const message = `the prefix "${prefix}" leaves the output folder; use a relative one without ".."`;
        throw invalidWorkflow([
          {
            node_id: id,
            class_type: node.class_type,
            input: PREFIX_INPUT,
            type: "invalid_prefix",
            message,
            received: prefix,
          },
        ]);
      }
      return [id, { ...node, inputs: { ...node.inputs, [PREFIX_INPUT]: `${folder}/${prefix}` } }];
    }),
  );
}

const isEscape = (prefix: string) =>
  /^[/\\~]|^[a-z]:/i.test(prefix) || prefix.split(/[/\\]/).includes("..") || prefix.includes("\0");
