/** ComfyUI's refusal of a graph, as an error that says per node what was wrong and what is possible. */
import { EndpointError } from "../errors.ts";
import type { SubmissionAnswer } from "./client.ts";
import type { Graph } from "./graph.ts";

interface NodeErrors {
  class_type: string;
  errors: { type: string; message: string; details: string; extra_info?: Record<string, unknown> }[];
}

/** One thing wrong with one node; what `details.nodes` of `invalid_workflow` lists. */
export interface NodeProblem {
  node_id: string;
  class_type: string;
  title?: string;
  input?: string;
  /** ComfyUI's error type, or ours where we refuse first. */
  type: string;
  message: string;
  received?: unknown;
  /** ComfyUI's description of the input: its type or choices, and limits. */
  expected?: unknown;
}

const MAX_CHOICES = 20;

/** @returns an `invalid_workflow` whose details list each {@link NodeProblem}. */
export function invalidWorkflow(problems: NodeProblem[]): EndpointError {
  const [first] = problems;
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more, see details)` : "";
  return new EndpointError("invalid_workflow", `${first ? describe(first) : "the graph was refused"}${more}`, {
    details: { nodes: problems },
  });
}

/** Translates the answer to a refused, or only partly accepted, `POST /prompt`. */
export function rejection({ error, nodeErrors }: SubmissionAnswer, graph: Graph): EndpointError {
  const problems = Object.entries(nodeErrors as Record<string, NodeErrors>).flatMap(([nodeId, node]) =>
    node.errors.map(({ type, message, details, extra_info = {} }): NodeProblem => {
      const { input_name, input_config, received_value, exception_message } = extra_info;
      const title = graph[nodeId]?._meta?.title;
      const text = [message, details || exception_message].filter(Boolean).join(": ");
      return {
        node_id: nodeId,
        class_type: node.class_type,
        ...(title !== undefined && { title }),
        ...(typeof input_name === "string" && { input: input_name }),
        type,
        message: text.length > 1_000 ? `${text.slice(0, 1_000)}...` : text,
        ...(received_value !== undefined && { received: received_value }),
        ...(input_config != null && { expected: shorten(input_config) }),
      };
    }),
  );
  if (problems.length > 0) return invalidWorkflow(problems);

  const { node_id, class_type } = error?.extra_info ?? {};
  const named = typeof node_id === "string" ? node_id : error?.details.match(/Node ID '#(.+)'/)?.[1];
  const message = [error?.message, error?.details].filter(Boolean).join(": ") || "ComfyUI refused the graph";
  if (named === undefined) return new EndpointError("invalid_workflow", message, { details: { type: error?.type } });
  const type = String(error?.type);
  return invalidWorkflow([
    { node_id: named, class_type: String(class_type ?? graph[named]?.class_type), type, message },
  ]);
}

function describe({ node_id, class_type, input, message }: NodeProblem): string {
  return `node ${node_id} (${class_type})${input === undefined ? "" : `, input ${input}`}: ${message}`;
}

/** A model list can hold thousands of names; the first of them show what is meant. */
function shorten(inputConfig: unknown): unknown {
  if (!Array.isArray(inputConfig) || !Array.isArray(inputConfig[0])) return inputConfig;
  return [inputConfig[0].slice(0, MAX_CHOICES), ...inputConfig.slice(1)];
}
