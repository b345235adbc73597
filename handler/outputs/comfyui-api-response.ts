/** The synchronous answer of SaladTechnologies/comfyui-api's `POST /prompt`. */
import type { Completed } from "../request/request.ts";

/**
 * The request echoed, with the graph as executed; `images[i]`, base64 or the `s3://` address that was asked for, belongs to `filenames[i]`.
 * @param given the request as received.
 */
export function encodeComfyuiApi(given: Record<string, unknown>, { id, graph, outputs, run, timings }: Completed) {
  const isInS3 = given["s3"] !== undefined;
  return {
    ...given,
    id,
    prompt: graph,
    images: outputs.map(({ bytes, location }) =>
      isInS3 && location ? `s3://${location.bucket}/${location.key}` : bytes.toString("base64"),
    ),
    filenames: outputs.map(({ name }) => comfyuiApiName(id, name)),
    stats: {
      comfy_execution: {
        start: run.startedAt,
        end: run.finishedAt,
        duration: run.finishedAt - run.startedAt,
        nodes: run.nodes,
      },
      preprocess_time: timings.preparing,
      comfy_round_trip_time: timings.running,
      postprocess_time: timings.delivering,
      upload_time: isInS3 ? timings.delivering : 0,
      total_time: timings.total,
    },
  };
}

/** comfyui-api puts the invocation's id before every file name; folders become part of it, so that two names never meet. */
export function comfyuiApiName(id: string, name: string): string {
  return `${id}_${name.replaceAll("/", "_")}`;
}
