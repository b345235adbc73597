/** What is posted to RunPod when a job is over. A truthy `error` makes the job FAILED. */
import { EndpointError } from "../../../runtime/errors.ts";
import type { Dialect, InvocationResult } from "../../invocation.ts";
import { encodeWorkerComfyuiError } from "../../outputs/worker-comfyui-response.ts";

export interface ResultBody {
  output?: unknown;
  error?: string;
  /** The worker is replaced. */
  stopPod?: true;
}

export function resultBody(result: InvocationResult, dialect: Dialect): ResultBody {
  return result.status === "succeeded" ? { output: result.body } : errorBody(result.error, dialect);
}

function errorBody(problem: EndpointError, dialect: Dialect): ResultBody {
  if (dialect === "worker-comfyui") {
    const { error, details } = encodeWorkerComfyuiError(problem);
    return details === undefined ? { error } : { output: { details }, error };
  }
  const { code, message, retryable, details } = problem;
  return { output: { code, retryable, ...(details && { details }) }, error: `${code}: ${message}` };
}

/** In place of a result that RunPod did not take: the same by links where it has them, else why there is none. */
export function refusedBody(result: InvocationResult, dialect: Dialect, bytes: number): ResultBody | undefined {
  if (result.status === "failed") return undefined;
  if (result.links !== undefined && result.links !== result.body) return { output: result.links };
  const message = `RunPod did not take the result of ${(bytes / 1e6).toFixed(1)} MB; configure S3_BUCKET, so that results are links`;
  return errorBody(new EndpointError("output_too_large", message), dialect);
}
