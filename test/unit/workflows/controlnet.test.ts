import { describe, expect, test } from "vitest";
import { GraphBuilder } from "../../../workflows/builder.ts";
import { placeMap } from "../../../workflows/control-placement.ts";
import { addControlMap, addControls, type Control, modelTimes } from "../../../workflows/controlnet.ts";
import { resolveSampler } from "../../../workflows/sampler-names.ts";
import { firstPass, secondPass, timesOfCalls } from "../../../workflows/sampling-pass.ts";
import { LAST_TIME } from "../../../workflows/sigma-table.ts";

/** The calls at which ComfyUI lets a ControlNet hold. */
function callsHeld(sampler: string, steps: number, start: number, end: number): number[] {
  const pass = firstPass(resolveSampler(sampler, null), steps);
  const range = modelTimes(pass, { start, end });
  if (range === undefined) return [];
  return timesOfCalls(pass).flatMap((time, call) => {
    const share = 1 - time / LAST_TIME;
    return share >= range.start && share <= range.end ? [call] : [];
  });
}

const from = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, index) => first + index);

describe("a window in steps holds at the calls at which A1111 shows a step within it", () => {
  test.each<[string, number, number, number, number[]]>([
    // A1111 shows step 0 at the first two calls, and then one step less than it is at.
    ["Euler", 10, 0, 1, from(0, 9)],
    ["Euler", 10, 0, 0, [0, 1]],
    ["Euler", 10, 0.5, 1, from(6, 9)],
    ["Euler", 10, 0, 0.5, from(0, 6)],
    ["Euler", 10, 0.35, 0.55, [5, 6]],
    ["DPM++ 2M", 20, 0.1, 0.8, from(3, 17)],
    ["Euler", 10, 0.85, 1, []],
    ["Euler", 1, 0, 1, [0]],
    // The second of a step's two calls shows that step.
    ["Heun", 4, 0.5, 1, from(5, 6)],
    ["DPM2", 4, 0, 0.25, from(0, 4)],
  ])("%s, %i steps, from %d to %d", (sampler, steps, start, end, expected) => {
    expect(callsHeld(sampler, steps, start, end)).toEqual(expected);
  });

  test("of the pass, which may run the end of a schedule only", () => {
    const pass = secondPass(resolveSampler("Euler", null), 10, 0.5);
    const { start, end } = modelTimes(pass, { start: 0.5, end: 1 })!;
    const held = timesOfCalls(pass).filter((time) => 1 - time / LAST_TIME >= start && 1 - time / LAST_TIME <= end);
    expect(held).toHaveLength(4);
  });

  test("the whole is the whole range", () => {
    const pass = secondPass(resolveSampler("Euler", null), 10, 0.5);
    expect(modelTimes(pass, { start: 0, end: 1 })).toEqual({ start: 0, end: 1 });
  });
});

const control: Control = {
  model: "canny.safetensors",
  weight: 0.8,
  window: { start: 0, end: 1 },
  map: { picture: "a.png" },
  isSoft: false,
  isPositiveOnly: false,
};
const pass = firstPass(resolveSampler("Euler", null), 10);

function graphOf(...controls: Control[]) {
  const builder = new GraphBuilder();
  const prompted = addControls(builder, { positive: ["p", 0], negative: ["n", 0] }, controls, { pass, vae: ["v", 2] });
  return { graph: builder.graph, prompted };
}

describe("a ControlNet as nodes", () => {
  test("is loaded, sees its map, and goes between the prompts and the sampler", () => {
    expect(graphOf(control)).toEqual({
      graph: {
        "1": { class_type: "ControlNetLoader", inputs: { control_net_name: "canny.safetensors" } },
        "2": { class_type: "LoadImage", inputs: { image: "a.png" } },
        "3": {
          class_type: "ControlNetApplyAdvanced",
          inputs: {
            positive: ["p", 0],
            negative: ["n", 0],
            control_net: ["1", 0],
            image: ["2", 0],
            strength: 0.8,
            start_percent: 0,
            end_percent: 1,
            vae: ["v", 2],
          },
        },
      },
      prompted: { positive: ["3", 0], negative: ["3", 1] },
    });
  });

  test("is left out where it has no effect", () => {
    const { graph, prompted } = graphOf({ ...control, weight: 0 }, { ...control, window: { start: 0.95, end: 1 } });
    expect([graph, prompted]).toEqual([{}, { positive: ["p", 0], negative: ["n", 0] }]);
  });

  test("may be kept from the negative prompt, told its type, and softened", () => {
    const { graph, prompted } = graphOf({ ...control, unionType: "depth", isSoft: true, isPositiveOnly: true });
    expect(prompted.negative).toEqual(["n", 0]);
    expect(graph["2"]).toEqual({
      class_type: "SetUnionControlNetType",
      inputs: { control_net: ["1", 0], type: "depth" },
    });
    expect(graph["3"]).toEqual({ class_type: "ComfyEndpointSoftControl", inputs: { control_net: ["2", 0] } });
  });

  test("follows another, and shares its model", () => {
    const { graph } = graphOf(control, { ...control, map: { picture: "b.png" } });
    expect(graph["5"]!.inputs).toMatchObject({ positive: ["3", 0], negative: ["3", 1], control_net: ["1", 0] });
  });
});

test.each([
  ["Just Resize", { scaled: { width: 64, height: 32 }, left: 0, top: 0 }, []],
  ["Crop and Resize", { scaled: { width: 64, height: 64 }, left: 0, top: -16 }, ["ImageCrop"]],
  ["Resize and Fill", { scaled: { width: 32, height: 32 }, left: 16, top: 0 }, ["EmptyImage", "ImageCompositeMasked"]],
] as const)("a map of edges is brought to the size of the picture: %s", (mode, expected, nodes) => {
  const canvas = { width: 64, height: 32 };
  const placement = placeMap({ width: 128, height: 128 }, mode, canvas);
  expect(placement).toEqual({ ...expected, canvas });
  const builder = new GraphBuilder();
  addControlMap(builder, {
    picture: "a.png",
    edges: { low: 0.1, high: 0.2, placement: { ...placement, method: "area" } },
  });
  const classes = Object.values(builder.graph).map(({ class_type }) => class_type);
  expect(classes).toEqual(["LoadImage", "Canny", "ImageScale", ...nodes]);
});
