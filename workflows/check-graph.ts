/** Refuses a graph that cannot run, before ComfyUI sees it: some of these would end its worker thread, the rest it reports less clearly. */
import { closestMatch } from "leven";
import type { Catalogue } from "../runtime/comfyui/catalogue.ts";
import type { Graph } from "../runtime/comfyui/graph.ts";
import { invalidWorkflow, type NodeProblem } from "../runtime/comfyui/rejection.ts";
import { EndpointError } from "../runtime/errors.ts";
import { isRawNumber } from "../runtime/json.ts";
import { leavesFolder } from "./relative-path.ts";

/**
 * @param value what the caller sent as a graph; integers beyond 2^53 are raw numbers.
 * @throws EndpointError `workflow_format_ui`, or `invalid_workflow` whose details list every problem.
 */
export function checkGraph(value: unknown, catalogue: Catalogue): Graph {
  if (!isObject(value)) throw refuse("the graph must be an object of nodes");
  if (Array.isArray(value["nodes"]) && Array.isArray(value["links"])) throw uiFormat();
  const nodes = Object.entries(value);
  if (nodes.length === 0) throw refuse("the graph has no nodes");

  const shapeProblems = nodes.flatMap(([id, node]) => checkShape(id, node));
  if (shapeProblems.length > 0) throw invalidWorkflow(shapeProblems);
  const graph = value as Graph;

  const classProblems = nodes.flatMap(([id]) => checkClass(id, graph, catalogue));
  if (classProblems.length > 0) throw invalidWorkflow(classProblems);

  const outputs = Object.keys(graph).filter((id) => catalogue.isOutput(graph[id]!.class_type));
  if (outputs.length === 0) throw refuse("no node of the graph produces an output; add one such as SaveImage");

  const inputProblems = [...reachable(graph, outputs)].flatMap((id) => [
    ...checkLinks(id, graph),
    ...checkFiles(id, graph, catalogue),
  ]);
  if (inputProblems.length > 0) throw invalidWorkflow(inputProblems);
  return graph;
}

function uiFormat(): EndpointError {
  return new EndpointError(
    "workflow_format_ui",
    'this is the editor\'s own format (with "nodes" and "links"); in ComfyUI use Workflow > Export (API) and send that file',
  );
}

const refuse = (message: string) => new EndpointError("invalid_workflow", message);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !isRawNumber(value);

/** A node without `inputs` ends the worker thread of ComfyUI 0.33 even where nothing is connected to it. */
function checkShape(nodeId: string, node: unknown): NodeProblem[] {
  const problem = (message: string, classType: unknown = null) => [
    { node_id: nodeId, class_type: String(classType), type: "invalid_node", message },
  ];
  if (!isObject(node)) return problem("a node must be an object with class_type and inputs");
  const { class_type, inputs } = node;
  if (typeof class_type !== "string" || class_type === "")
    return problem("class_type must be the name of a node class");
  if (!isObject(inputs)) return problem("inputs must be an object, {} if there are none", class_type);
  return [];
}

function checkClass(nodeId: string, graph: Graph, catalogue: Catalogue): NodeProblem[] {
  const { class_type, _meta } = graph[nodeId]!;
  if (catalogue.has(class_type)) return [];
  const near = closestMatch(class_type, catalogue.classTypes, { maxDistance: Math.ceil(class_type.length / 3) });
  const hint = near === undefined ? "is the custom node installed?" : `did you mean ${near}?`;
  const title = _meta?.title;
  return [
    {
      node_id: nodeId,
      class_type,
      ...(title !== undefined && { title }),
      type: "missing_node_type",
      message: `this ComfyUI has no node class ${class_type}; ${hint}`,
    },
  ];
}

/** An input that looks like a link to a node that is not there ends the worker thread, whether the class declares the input or not. */
function checkLinks(nodeId: string, graph: Graph): NodeProblem[] {
  const { class_type, inputs } = graph[nodeId]!;
  return Object.entries(inputs).flatMap(([input, value]) => {
    const source = linkSource(value);
    if (source === undefined || Object.hasOwn(graph, source)) return [];
    const message = `it is linked to node ${source}, which is not in the graph; there are: ${Object.keys(graph).slice(0, 20).join(", ")}`;
    return [{ node_id: nodeId, class_type, input, type: "bad_linked_input", message, received: value }];
  });
}

/** Before 0.20 or so ComfyUI opens whatever file an absolute path names. */
function checkFiles(nodeId: string, graph: Graph, catalogue: Catalogue): NodeProblem[] {
  const { class_type, inputs } = graph[nodeId]!;
  return Object.entries(inputs).flatMap(([input, value]) => {
    if (typeof value !== "string" || !leavesFolder(value) || !catalogue.isInputFile(class_type, input)) return [];
    const message = `"${value}" lies outside ComfyUI's folders; give the name of a file in its input folder`;
    return [{ node_id: nodeId, class_type, input, type: "invalid_file_name", message, received: value }];
  });
}

/** The node that a value links to, by Python's idea of a link: `isinstance(slot, (int, float))` holds for true and for integers of any size. */
function linkSource(value: unknown): string | undefined {
  if (!Array.isArray(value) || value.length !== 2) return undefined;
  const [source, slot] = value as unknown[];
  const isSlot = typeof slot === "number" || typeof slot === "boolean" || isRawNumber(slot);
  return typeof source === "string" && isSlot ? source : undefined;
}

/** The nodes that will run: outputs and all that they need. ComfyUI ignores the links of the rest. */
function reachable(graph: Graph, outputs: readonly string[]): Set<string> {
  const seen = new Set<string>();
  const open = [...outputs];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    if (seen.has(id) || !Object.hasOwn(graph, id)) continue;
    seen.add(id);
    for (const value of Object.values(graph[id]!.inputs)) {
      const source = linkSource(value);
      if (source !== undefined) open.push(source);
    }
  }
  return seen;
}
