/** A finished invocation, as the encoders of answers see it. */
import type { DeliveredOutput } from "../../handler/outputs/output.ts";
import type { Completed } from "../../handler/request/request.ts";

export function output(given: Partial<DeliveredOutput> = {}): DeliveredOutput {
  const defaults = { nodeId: "9", name: "a.png", type: "image", contentType: "image/png" } as const;
  return { ...defaults, bytes: Buffer.from("pixels"), ...given };
}

export function completed(outputs: DeliveredOutput[], given: Partial<Completed> = {}): Completed {
  return {
    id: "id-1",
    graph: { "9": { class_type: "SaveImage", inputs: { filename_prefix: "job-7/a" } } },
    run: { outputs: {}, cachedNodes: ["4"], startedAt: 1000, finishedAt: 1500, nodes: { "9": { start: 1200 } } },
    timings: { queued: 1, preparing: 2, running: 3, delivering: 4, total: 10 },
    outputs,
    ...given,
  };
}
