/** Small payloads that every engine under test can run. */
import type { Graph } from "../../runtime/comfyui/graph.ts";

/** A picture of one colour; no model. */
export function colourGraph(color: number, overrides: Record<string, unknown> = {}): Graph {
  return {
    "1": { class_type: "EmptyImage", inputs: { width: 64, height: 64, batch_size: 1, color } },
    "2": { class_type: "SaveImage", inputs: { images: ["1", 0], filename_prefix: "ComfyUI", ...overrides } },
  };
}

/** An output of so many letters; no model. */
export function longTextGraph(length: number, letter = "x"): Graph {
  return {
    "1": { class_type: "PrimitiveString", inputs: { value: letter.repeat(length) } },
    "2": { class_type: "PreviewAny", inputs: { source: ["1", 0] } },
  };
}

/** A1111 request of a few quick steps. */
export function quickTxt2Img(overrides: Record<string, unknown> = {}) {
  return { prompt: "a small cat", seed: 5, steps: 3, width: 64, height: 64, ...overrides };
}

/** Samples for some seconds, long enough to be caught in the middle. */
export function slowTxt2Img(overrides: Record<string, unknown> = {}) {
  return quickTxt2Img({ steps: 400, ...overrides });
}

/** The two graphs that end ComfyUI's worker thread when they reach it. */
export const WORKER_KILLERS: readonly { name: string; nodeId: string; graph: Record<string, unknown> }[] = [
  {
    name: "an undeclared input that looks like a link to a missing node",
    nodeId: "1",
    graph: {
      "1": { class_type: "EmptyImage", inputs: { width: 64, height: 64, batch_size: 1, color: 0, extra: ["99", 0] } },
      "2": { class_type: "SaveImage", inputs: { images: ["1", 0], filename_prefix: "e" } },
    },
  },
  {
    name: "an unconnected node without inputs",
    nodeId: "3",
    graph: { ...colourGraph(0), "3": { class_type: "EmptyImage" } },
  },
];
