import { describe, expect, test } from "vitest";
import type { Graph } from "../../../runtime/comfyui/graph.ts";
import { checkGraph } from "../../../workflows/check-graph.ts";
import { buildGeneration, type Generation } from "../../../workflows/generation.ts";
import { resolveSampler } from "../../../workflows/sampler-names.ts";
import type { Noise } from "../../../workflows/sampling.ts";
import { firstPass, timesOfCalls } from "../../../workflows/sampling-pass.ts";
import { loadCatalogue } from "../../support/catalogue.ts";
import { thrownBy } from "../../support/thrown.ts";

const noisesOf = (...seeds: bigint[]): Noise[] => seeds.map((seed) => ({ seeds: [seed], source: "NV" }));

const request: Generation = {
  prompts: { positive: "a fox", negative: "blurry" },
  noises: noisesOf(42n),
  steps: 20,
  cfgScale: 7,
  width: 512,
  height: 768,
  sampler: resolveSampler("Euler", null),
  models: { checkpoint: "model.safetensors", loras: [], hypernetworks: [], clipSkip: 1 },
  embeddings: [],
};
const exact = { ...request, sampler: resolveSampler("Euler", null, { exact: {} }) };
const lcm = resolveSampler("LCM", null);

const nodesOf = (graph: Graph, classType: string) =>
  Object.values(graph).filter(({ class_type }) => class_type === classType);

test("one picture is one chain from checkpoint to file", () => {
  expect(buildGeneration(request)).toEqual({
    "1": { class_type: "CheckpointLoaderSimple", inputs: { ckpt_name: "model.safetensors" } },
    "2": { class_type: "CLIPTextEncode", inputs: { text: "a fox", clip: ["1", 1] } },
    "3": { class_type: "CLIPTextEncode", inputs: { text: "blurry", clip: ["1", 1] } },
    "4": { class_type: "EmptyLatentImage", inputs: { width: 512, height: 768, batch_size: 1 } },
    "5": {
      class_type: "KSampler",
      inputs: {
        model: ["1", 0],
        positive: ["2", 0],
        negative: ["3", 0],
        latent_image: ["4", 0],
        seed: 42,
        steps: 20,
        cfg: 7,
        sampler_name: "euler",
        scheduler: "normal",
        denoise: 1,
      },
    },
    "6": { class_type: "VAEDecode", inputs: { samples: ["5", 0], vae: ["1", 2] } },
    "7": { class_type: "SaveImage", inputs: { images: ["6", 0], filename_prefix: "txt2img_000" } },
  });
});

describe("on an engine with our own nodes", () => {
  test("noise, noise levels and sampler are A1111's", () => {
    const graph = buildGeneration({ ...exact, steps: 2 });
    expect(nodesOf(graph, "SamplerCustomAdvanced")).toEqual([
      {
        class_type: "SamplerCustomAdvanced",
        inputs: { noise: ["5", 0], guider: ["6", 0], sampler: ["7", 0], sigmas: ["8", 0], latent_image: ["4", 0] },
      },
    ]);
    expect(graph["5"]?.inputs).toMatchObject({ seeds: "42", source: "NV", subseeds: "", multiplier: 1 });
    expect(graph["7"]?.inputs).toMatchObject({ sampler_name: "euler", keeps_variance: false });
    expect(graph["8"]?.inputs).toEqual({ sigmas: "14.6146412, 0.0291671582, 0" });
  });

  test("a further picture takes four nodes more", () => {
    const size = (...seeds: bigint[]) => Object.keys(buildGeneration({ ...exact, noises: noisesOf(...seeds) })).length;
    expect(size(1n, 2n, 3n) - size(1n, 2n)).toBe(4);
  });

  test("a batch in one is one sampling with all its seeds", () => {
    const graph = buildGeneration({ ...exact, noises: [{ seeds: [1n, 2n ** 64n - 1n], source: "CPU" }] });
    expect(nodesOf(graph, "EmptyLatentImage")[0]?.inputs).toMatchObject({ batch_size: 2 });
    expect(nodesOf(graph, "ComfyEndpointNoise")[0]?.inputs).toMatchObject({ seeds: "1, 18446744073709551615" });
  });
});

describe("several pictures", () => {
  const graph = buildGeneration({ ...request, noises: noisesOf(2n ** 64n - 2n, 2n ** 64n - 1n, 0n) });

  test("have a sampler, a seed and a file each, and share the rest", () => {
    const classes = Object.values(graph).map(({ class_type }) => class_type);
    expect(classes.filter((name) => ["KSampler", "VAEDecode", "SaveImage"].includes(name))).toHaveLength(9);
    expect(nodesOf(graph, "CLIPTextEncode")).toHaveLength(2);
    expect(nodesOf(graph, "CheckpointLoaderSimple")).toHaveLength(1);
    expect(nodesOf(graph, "EmptyLatentImage")).toHaveLength(1);
  });

  test("have 64-bit seeds digit for digit", () => {
    const seeds = nodesOf(graph, "KSampler").map(({ inputs }) => JSON.stringify(inputs["seed"]));
    expect(seeds).toEqual(["18446744073709551614", "18446744073709551615", "0"]);
  });

  test("are saved under names and by nodes in their order", () => {
    const files = Object.entries(graph).filter(([, { class_type }]) => class_type === "SaveImage");
    expect(files.map(([, { inputs }]) => inputs["filename_prefix"])).toEqual([
      "txt2img_000",
      "txt2img_001",
      "txt2img_002",
    ]);
    expect(files.map(([id]) => Number(id))).toEqual(files.map(([id]) => Number(id)).toSorted((a, b) => a - b));
  });
});

test("LCM sampling goes through a node of its own, for every picture", () => {
  const graph = buildGeneration({ ...request, noises: noisesOf(1n, 2n), sampler: lcm });
  const [id, node] = Object.entries(graph).find(([, { class_type }]) => class_type === "ModelSamplingDiscrete")!;
  expect(node.inputs).toEqual({ model: ["1", 0], sampling: "lcm", zsnr: false });
  expect(nodesOf(graph, "KSampler").map(({ inputs }) => inputs["model"])).toEqual([
    [id, 0],
    [id, 0],
  ]);
});

test.each<[string, Generation]>([
  ["plain", request],
  ["a hundred pictures", { ...request, noises: noisesOf(...Array.from({ length: 100 }, (_, index) => BigInt(index))) }],
  ["LCM", { ...request, sampler: lcm }],
  ["with our own nodes", exact],
])("the graph passes our own check: %s", async (_name, given) => {
  const catalogue = await loadCatalogue(undefined, {}, "own");
  const graph = buildGeneration(given);
  expect(checkGraph(graph, catalogue)).toBe(graph);
});

describe("Restart, which goes back to more noise from 20 steps on", () => {
  const restart = resolveSampler("Restart", null, { exact: {} });
  const drawn = (more: Partial<Generation>) => () => buildGeneration({ ...exact, sampler: restart, ...more });

  test.each([
    [19, 0],
    [20, 1],
    [35, 1],
    [36, 2],
    [50, 2],
  ])("of %d steps it does so %d times, and calls the model as often as without", (steps, times) => {
    const calls = timesOfCalls(firstPass(restart, steps));
    expect(calls).toHaveLength(2 * steps - 1);
    expect(calls.filter((time, index) => index > 0 && time > calls[index - 1]!)).toHaveLength(times);
  });

  test("draws no prompt that changes on its way, and no refiner, there", () => {
    const prompts = { positive: "a [fox:cat:0.5]", negative: "" };
    const refiner = { models: exact.models, switch: { at: 0.8, bySteps: true }, passes: "both" as const };
    for (const change of [{ prompts }, { refiner }]) {
      expect(thrownBy(drawn({ ...change, steps: 20 }))).toMatchObject({ code: "unsupported_feature" });
      expect(drawn({ ...change, steps: 19 })).not.toThrow();
    }
  });
});
