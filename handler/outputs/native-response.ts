/** Our own answer: every output with its facts, inline or by its place in S3. */
import { createHash } from "node:crypto";
import type { Completed } from "../request/request.ts";
import type { DeliveredOutput } from "./output.ts";

/** JSON of one output; `data` is base64 and only there when the output is in no bucket; a text comes as `text` besides. */
export function describeOutput({ nodeId, name, type, contentType, bytes, location }: DeliveredOutput) {
  return {
    node_id: nodeId,
    name,
    type,
    content_type: contentType,
    size_bytes: bytes.length,
    sha256: createHash("sha256").update(bytes).digest("hex"),
    ...(type === "text" && { text: bytes.toString("utf8") }),
    ...location,
  };
}

export function encodeNative({ id, outputs, run, timings }: Completed) {
  return {
    id,
    status: "succeeded",
    outputs: outputs.map((output) => ({
      ...describeOutput(output),
      ...(output.location === undefined && output.type !== "text" && { data: output.bytes.toString("base64") }),
    })),
    cached_nodes: run.cachedNodes,
    timings_ms: timings,
  };
}

/** The answer in place of one that is too large, in any dialect: where each output is, texts included. Undefined unless all of them are in a bucket. */
export function encodeLinks(id: string, outputs: readonly DeliveredOutput[]) {
  if (outputs.length === 0 || outputs.some(({ location }) => location === undefined)) return undefined;
  const links = outputs.map(describeOutput).map(({ text: _, ...link }) => link);
  return { id, status: "succeeded", outputs: links };
}
