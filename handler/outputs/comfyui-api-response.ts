/** The synchronous answer of SaladTechnologies/comfyui-api's `POST /prompt`. */
import type { Completed } from "../request/request.ts";
import { comfyuiApiNames } from "./names.ts";

/** Keys of comfy.org accounts, in the request or its `extra_data`; an echo would bring them into logs and webhooks. */
const SECRETS = new Set(["comfy_org_api_key", "api_key_comfy_org", "auth_token_comfy_org"]);

/**
 * The request echoed but for its secrets, with the graph as executed; `images[i]`, base64 or the `s3://` address that was asked for, belongs to `filenames[i]`.
 * @param given the request as received.
 */
export function encodeComfyuiApi(given: Record<string, unknown>, { id, graph, outputs, run, timings }: Completed) {
  const isInS3 = given["s3"] !== undefined;
  const { extra_data, ...request } = given;
  return {
    ...withoutSecrets(request),
    ...(extra_data !== undefined && { extra_data: withoutSecrets(extra_data as object) }),
    id,
    prompt: graph,
    images: outputs.map(({ bytes, location }) =>
      isInS3 && location ? `s3://${location.bucket}/${location.key}` : bytes.toString("base64"),
    ),
    filenames: comfyuiApiNames(
      id,
      outputs.map(({ name }) => name),
    ),
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

const withoutSecrets = (fields: object) =>
  Object.fromEntries(Object.entries(fields).filter(([name]) => !SECRETS.has(name)));
