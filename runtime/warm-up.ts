/** Runs a graph once before the engine takes work, so that the first invocation does not pay for loading. */
import { randomUUID } from "node:crypto";
import type { EngineLink } from "./comfyui/engine-link.ts";
import type { Graph } from "./comfyui/graph.ts";
import { runPrompt } from "./comfyui/run-prompt.ts";
import { EndpointError, toEndpointError } from "./errors.ts";

/** @throws EndpointError `warm_up_failed` with the cause. */
export async function runWarmUp(link: EngineLink, graph: Graph): Promise<void> {
  try {
    await runPrompt(link, graph, { promptId: randomUUID(), signal: link.gone }).result;
  } catch (error) {
    const cause = toEndpointError(error);
    throw new EndpointError("warm_up_failed", `the warm-up graph failed: ${cause.message}`, {
      cause,
      details: { ...cause.details },
    });
  }
}
