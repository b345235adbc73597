/** A request that brings its own graph. */
import * as z from "zod";
import { EndpointError } from "../../runtime/errors.ts";
import { checkGraph } from "../../workflows/check-graph.ts";
import { encodeComfyuiApi } from "../outputs/comfyui-api-response.ts";
import { encodeNative } from "../outputs/native-response.ts";
import { parseDelivery } from "./delivery.ts";
import { fieldErrors } from "./field-errors.ts";
import { invocationId } from "./invocation-id.ts";
import type { GraphRequest } from "./request.ts";

/** Options of the imitated APIs that would change what happens, and cannot be honoured: never ignored in silence. */
const UNSUPPORTED = [
  "webhook",
  "webhook_v2",
  "credentials",
  "azure_blob_upload",
  "hf_upload",
  "http_upload",
  "images",
  "partial_execution_targets",
  "number",
  "front",
] as const;

const options = z.object({
  id: invocationId.optional(),
  extra_data: z.record(z.string(), z.unknown()).optional(),
  comfy_org_api_key: z.string().optional(),
  api_key_comfy_org: z.string().optional(),
});

/**
 * @param graph checked when it is built, against the engine's catalogue.
 * @param options the object that the graph came in.
 * @throws EndpointError `invalid_request`, `unsupported_feature`.
 */
export function parseGraphRequest({
  graph,
  options: given,
  isComfyuiApi = false,
}: {
  graph: unknown;
  options: Record<string, unknown>;
  isComfyuiApi?: boolean;
}): GraphRequest {
  const unsupported = UNSUPPORTED.find((name) => given[name] !== undefined && given[name] !== null);
  if (unsupported) throw new EndpointError("unsupported_feature", `${unsupported}: this option is not available`);
  const parsed = options.safeParse(given);
  if (!parsed.success) throw fieldErrors(parsed.error);
  const { id, extra_data, comfy_org_api_key, api_key_comfy_org } = parsed.data;
  const apiKey = comfy_org_api_key ?? api_key_comfy_org;
  return {
    kind: "graph",
    ...(id !== undefined && { id }),
    delivery: parseDelivery(given, isComfyuiApi),
    extraData: { ...extra_data, ...(apiKey !== undefined && { api_key_comfy_org: apiKey }) },
    build: async ({ catalogue }) => ({
      graph: checkGraph(graph, catalogue),
      encode: isComfyuiApi ? (done) => encodeComfyuiApi(given, done) : encodeNative,
    }),
  };
}
