/** Gives every job a folder of its own among ComfyUI's outputs. */
import type { Graph } from "../runtime/comfyui/graph.ts";
import { invalidWorkflow } from "../runtime/comfyui/rejection.ts";
import { isRawNumber } from "../runtime/json.ts";
import { leavesFolder } from "./relative-path.ts";

const PREFIX_INPUT = "filename_prefix";

/**
 * Puts `folder` before every file name prefix of a graph, the rest unchanged. Names are then unique, a graph that is sent again saves
 * again (ComfyUI's cache would answer with the names of files long removed), and clearing up is the removal of one folder.
 * A prefix that another node makes stays as it is.
 * @throws EndpointError `invalid_workflow` for a prefix that leaves the output folder, or that is neither text nor a number.
 */
export function withOutputFolder(graph: Graph, folder: string): Graph {
  return Object.fromEntries(
    Object.entries(graph).map(([id, node]) => {
      const received = node.inputs[PREFIX_INPUT];
      if (received === undefined || Array.isArray(received)) return [id, node];
      const prefix = asText(received);
      if (prefix !== undefined && !leavesFolder(prefix))
        return [id, { ...node, inputs: { ...node.inputs, [PREFIX_INPUT]: `${folder}/${prefix}` } }];
      const message =
        prefix === undefined
          ? "the prefix must be text"
          : `the prefix "${prefix}" leaves the output folder; use a relative one without ".."`;
      const { class_type } = node;
      throw invalidWorkflow([
        { node_id: id, class_type, input: PREFIX_INPUT, type: "invalid_prefix", message, received },
      ]);
    }),
  );
}

/** ComfyUI takes a number where it wants text. */
function asText(value: unknown): string | undefined {
  if (isRawNumber(value)) return value.rawJSON;
  return typeof value === "string" || typeof value === "number" ? String(value) : undefined;
}
