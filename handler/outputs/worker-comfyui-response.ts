/** The answers of worker-comfyui 5: its list of outputs, and its words for what went wrong. */
import { posix } from "node:path";
import type { NodeProblem } from "../../runtime/comfyui/rejection.ts";
import { EndpointError } from "../../runtime/errors.ts";
import type { Completed } from "../request/request.ts";
import type { DeliveredOutput } from "./output.ts";

/** Every output is in the list, where worker-comfyui drops all but pictures. @throws EndpointError `no_outputs`. */
export function encodeWorkerComfyui({ id, outputs, run }: Completed) {
  if (outputs.length > 0) return { images: outputs.map(describe) };
  if (Object.keys(run.outputs).length > 0) return { status: "success_no_images", images: [] };
  throw new EndpointError("no_outputs", `No outputs found in history for prompt ${id}.`);
}

function describe({ name, bytes, location }: DeliveredOutput) {
  const filename = posix.basename(name);
  if (location === undefined) return { filename, type: "base64", data: bytes.toString("base64") };
  return { filename, type: "s3_url", data: location.url ?? `s3://${location.bucket}/${location.key}` };
}

export interface WorkerComfyuiError {
  error: string;
  details?: string[];
}

/** Where worker-comfyui has no words for it, our own code comes first. */
export function encodeWorkerComfyuiError(error: EndpointError): WorkerComfyuiError {
  const { code, message } = error;
  switch (code) {
    case "invalid_request":
      return { error: message, ...problemsOf(error) };
    case "invalid_workflow":
      return { error: validationFailure(error) };
    case "execution_error":
    case "out_of_memory":
      return processingFailed(`Workflow execution error: ${failedNode(error)}`);
    case "no_outputs":
    case "output_missing":
    case "upload_failed":
      return processingFailed(message);
    case "not_ready":
    case "comfyui_start_failed":
    case "warm_up_failed":
    case "comfyui_unreachable":
      return { error: "ComfyUI server (127.0.0.1:8188) not reachable after multiple retries.", details: [message] };
    case "comfyui_exited":
      return { error: `WebSocket communication error: ${message}` };
    case "internal":
      return { error: `An unexpected error occurred: ${message}` };
    default:
      return { error: `${code}: ${message}` };
  }
}

const processingFailed = (detail: string) => ({ error: "Job processing failed", details: [detail] });

function problemsOf({ details }: EndpointError): { details?: string[] } {
  const problems = details?.["problems"];
  return Array.isArray(problems) ? { details: problems as string[] } : {};
}

function failedNode({ message, details }: EndpointError): string {
  if (details?.["exception_message"] === undefined) return message;
  return `Node Type: ${details["class_type"]}, Node ID: ${details["node_id"]}, Message: ${details["exception_message"]}`;
}

/** A line for each problem under the key that ComfyUI lists it by, and the checkpoints where the one that was named is missing. */
function validationFailure({ message, details }: EndpointError): string {
  const nodes = details?.["nodes"] as NodeProblem[] | undefined;
  if (nodes === undefined) return `Workflow validation failed:\n• ${message}`;
  const lines = nodes.flatMap((node) => [
    `• Node ${node.node_id} (errors): ${node.input === undefined ? "" : `${node.input}: `}${node.message}`,
    `• Node ${node.node_id} (class_type): ${node.class_type}`,
  ]);
  return `Workflow validation failed:\n${[...new Set(lines)].join("\n")}${checkpointHint(nodes)}`;
}

function checkpointHint(nodes: readonly NodeProblem[]): string {
  const missing = nodes.find(({ input, type }) => input === "ckpt_name" && type === "value_not_in_list");
  if (missing === undefined) return "";
  const choices = Array.isArray(missing.expected) && Array.isArray(missing.expected[0]) ? missing.expected[0] : [];
  return choices.length > 0
    ? `\n\nAvailable checkpoint models: ${choices.join(", ")}`
    : "\n\nNo checkpoint models appear to be available. Please check your model installation.";
}
