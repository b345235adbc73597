import { expect, test } from "vitest";
import { Activity } from "../../../handler/activity.ts";
import type { Graph } from "../../../runtime/comfyui/graph.ts";

const graph: Graph = {
  "1": { class_type: "KSampler", inputs: {} },
  "2": { class_type: "ImageUpscaleWithModel", inputs: {} },
  "3": { class_type: "KSamplerAdvanced", inputs: {} },
};

test("samplers are its jobs; steps of other nodes are none of its steps", () => {
  const activity = new Activity("sdapi/txt2img");
  expect(activity).toMatchObject({ jobs: 0, jobsDone: 0, progress: undefined });
  activity.start(graph);
  activity.advance({ nodeId: "1", value: 4, max: 4 });
  expect(activity).toMatchObject({ jobs: 2, jobsDone: 0, progress: { value: 4 } });
  activity.advance({ nodeId: "2", value: 1, max: 9 });
  expect(activity).toMatchObject({ jobsDone: 0, progress: { value: 4, max: 4 } });
  activity.advance({ nodeId: "3", value: 1, max: 4 });
  expect(activity).toMatchObject({ jobsDone: 1, progress: { value: 1 } });
});

test("a second run of the graph begins anew", () => {
  const activity = new Activity("sdapi/txt2img");
  activity.start(graph);
  activity.advance({ nodeId: "1", value: 4, max: 4 });
  activity.preview = Buffer.from("x");
  activity.start(graph);
  expect(activity).toMatchObject({ jobs: 2, jobsDone: 0, progress: undefined, preview: undefined });
});
