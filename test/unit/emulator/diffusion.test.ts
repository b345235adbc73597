import { join } from "node:path";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import type { Graph } from "../../../runtime/comfyui/graph.ts";
import type { Latent } from "../../../runtime/emulator/nodes/diffusion-values.ts";
import type { ImageBatch } from "../../../runtime/emulator/nodes/node.ts";
import { runGraph } from "../../support/run-graph.ts";

const INPUT = join(import.meta.dirname, "../../fixtures/comfyui/pixels/in");

type Changes = Record<string, Record<string, unknown>>;

/** Text to image at 64x64; `changes` overrides inputs by node id, `extra` adds nodes. */
function txt2img(changes: Changes = {}, extra: Graph = {}): Graph {
  const graph: Graph = {
    model: { class_type: "CheckpointLoaderSimple", inputs: { ckpt_name: "a.safetensors" } },
    clip: { class_type: "CLIPSetLastLayer", inputs: { clip: ["model", 1], stop_at_clip_layer: -1 } },
    lora: {
      class_type: "LoraLoader",
      inputs: {
        model: ["model", 0],
        clip: ["clip", 0],
        lora_name: "l.safetensors",
        strength_model: 1,
        strength_clip: 1,
      },
    },
    positive: { class_type: "CLIPTextEncode", inputs: { clip: ["lora", 1], text: "a red fox" } },
    negative: { class_type: "CLIPTextEncode", inputs: { clip: ["lora", 1], text: "blurry" } },
    latent: { class_type: "EmptyLatentImage", inputs: { width: 64, height: 64, batch_size: 1 } },
    sampler: {
      class_type: "KSampler",
      inputs: {
        model: ["lora", 0],
        positive: ["positive", 0],
        negative: ["negative", 0],
        latent_image: ["latent", 0],
        seed: 1,
        steps: 4,
        cfg: 7,
        sampler_name: "euler",
        scheduler: "normal",
        denoise: 1,
      },
    },
    picture: { class_type: "VAEDecode", inputs: { samples: ["sampler", 0], vae: ["model", 2] } },
    ...extra,
  };
  for (const [id, inputs] of Object.entries(changes))
    graph[id] = { ...graph[id]!, inputs: { ...graph[id]!.inputs, ...inputs } };
  return graph;
}

async function pictureOf(graph: Graph, node = "picture"): Promise<ImageBatch> {
  const { results } = await runGraph(graph, { input: INPUT });
  return results.get(node)!.outputs[0] as ImageBatch;
}

const bytesOf = ({ data }: { data: Float32Array }) => Buffer.from(data.map((value) => Math.floor(value * 255)));

const largestDifference = (one: Float32Array, two: Float32Array) =>
  one.reduce((largest, value, index) => Math.max(largest, Math.abs(value - two[index]!)), 0);

const photo: Graph = { photo: { class_type: "LoadImage", inputs: { image: "rgb.png" } } };
const init: Graph = {
  ...photo,
  encoded: { class_type: "VAEEncode", inputs: { pixels: ["photo", 0], vae: ["model", 2] } },
};

const controlNet = (strength: number, image = "rgb.png"): Graph => ({
  photo: { class_type: "LoadImage", inputs: { image } },
  net: { class_type: "ControlNetLoader", inputs: { control_net_name: "canny.safetensors" } },
  controlled: {
    class_type: "ControlNetApplyAdvanced",
    inputs: {
      positive: ["positive", 0],
      negative: ["negative", 0],
      control_net: ["net", 0],
      image: ["photo", 0],
      strength,
      start_percent: 0,
      end_percent: 1,
    },
  },
});
const WITH_CONTROL = { sampler: { positive: ["controlled", 0], negative: ["controlled", 1] } };

describe("the picture of the stand-in", () => {
  test("is the same for the same graph", async () => {
    expect(bytesOf(await pictureOf(txt2img()))).toEqual(bytesOf(await pictureOf(txt2img())));
  });

  test.for<[string, Changes, Graph?]>([
    ["seed", { sampler: { seed: 2 } }],
    ["64-bit seed", { sampler: { seed: 18446744073709551615n } }],
    ["prompt", { positive: { text: "a blue fox" } }],
    ["weight in the prompt", { positive: { text: "a (red:1.2) fox" } }],
    ["embedding in the prompt", { positive: { text: "a red fox embedding:style" } }],
    ["negative prompt", { negative: { text: "ugly" } }],
    ["steps", { sampler: { steps: 5 } }],
    ["cfg", { sampler: { cfg: 8 } }],
    ["sampler", { sampler: { sampler_name: "dpmpp_2m" } }],
    ["scheduler", { sampler: { scheduler: "karras" } }],
    ["checkpoint", { model: { ckpt_name: "b.safetensors" } }],
    ["LoRA", { lora: { lora_name: "other.safetensors" } }],
    ["LoRA strength of the model", { lora: { strength_model: 0.5 } }],
    ["LoRA strength of CLIP", { lora: { strength_clip: 0.5 } }],
    ["clip skip", { clip: { stop_at_clip_layer: -2 } }],
    ["ControlNet", WITH_CONTROL, controlNet(1)],
  ])("changes with the %s", async ([, changes, extra]) => {
    expect(bytesOf(await pictureOf(txt2img(changes, extra)))).not.toEqual(bytesOf(await pictureOf(txt2img())));
  });

  test("changes with a ControlNet's strength and hint", async () => {
    const of = async (...hint: Parameters<typeof controlNet>) =>
      bytesOf(await pictureOf(txt2img(WITH_CONTROL, controlNet(...hint))));
    const reference = await of(1);

    expect(await of(0.5)).not.toEqual(reference);
    expect(await of(1, "rgb2.png")).not.toEqual(reference);
    expect(await of(0)).toEqual(bytesOf(await pictureOf(txt2img())));
  });

  test("a LoRA of strength 0 changes nothing, and with cfg 1 neither does the negative prompt", async () => {
    const none = { lora: { strength_model: 0, strength_clip: 0 } };
    const unused = { lora: { ...none.lora, lora_name: "other.safetensors" } };
    expect(bytesOf(await pictureOf(txt2img(unused)))).toEqual(bytesOf(await pictureOf(txt2img(none))));
    const unguided = await pictureOf(txt2img({ sampler: { cfg: 1 } }));
    expect(bytesOf(await pictureOf(txt2img({ sampler: { cfg: 1 }, negative: { text: "ugly" } })))).toEqual(
      bytesOf(unguided),
    );
  });

  test("has the size that was asked for, in whole cells, and one picture per batch item, all different", async () => {
    const { width, height, batch, data } = await pictureOf(
      txt2img({ latent: { width: 100, height: 72, batch_size: 2 } }),
    );

    expect({ width, height, batch }).toEqual({ width: 96, height: 72, batch: 2 });
    const half = data.length / 2;
    expect(bytesOf({ data: data.subarray(0, half) })).not.toEqual(bytesOf({ data: data.subarray(half) }));
  });

  test("an item taken out of a batch is drawn as in the batch", async () => {
    const batch = await pictureOf(txt2img({ latent: { batch_size: 3 } }));
    const single = await pictureOf(
      txt2img(
        { latent: { batch_size: 3 }, sampler: { latent_image: ["item", 0] } },
        { item: { class_type: "LatentFromBatch", inputs: { samples: ["latent", 0], batch_index: 2, length: 1 } } },
      ),
    );
    expect(bytesOf(single)).toEqual(bytesOf({ data: batch.data.subarray(2 * single.data.length) }));
  });

  test("reports every step once, with a preview whose longest side is 512", async () => {
    const { steps } = await runGraph(txt2img({ latent: { width: 64, height: 32 } }));

    expect(steps.map(({ value, max }) => [value, max])).toEqual([1, 2, 3, 4].map((step) => [step, 4]));
    await expect(sharp(await steps[0]!.preview!()).metadata()).resolves.toMatchObject({
      format: "jpeg",
      width: 512,
      height: 256,
    });
  });
});

describe("image to image", () => {
  const at = (denoise: number) => txt2img({ sampler: { latent_image: ["encoded", 0], denoise } }, init);

  test("stays near the init picture when denoise is low and leaves it when it is high", async () => {
    const photoPixels = (await pictureOf(photo, "photo")).data;
    const differences = await Promise.all(
      [0, 0.2, 0.9].map(async (denoise) => largestDifference((await pictureOf(at(denoise))).data, photoPixels)),
    );

    expect(differences[0]).toBe(0);
    expect(differences[1]).toBeGreaterThan(0);
    expect(differences[1]).toBeLessThan(0.05);
    expect(differences[2]).toBeGreaterThan(0.2);
  });

  test("leaves the pixels outside the noise mask as they were", async () => {
    const graph = txt2img(
      { sampler: { latent_image: ["masked", 0] } },
      {
        ...init,
        solid: { class_type: "SolidMask", inputs: { value: 1, width: 12, height: 16 } },
        black: { class_type: "SolidMask", inputs: { value: 0, width: 24, height: 16 } },
        left: {
          class_type: "MaskComposite",
          inputs: { destination: ["black", 0], source: ["solid", 0], x: 0, y: 0, operation: "add" },
        },
        masked: { class_type: "SetLatentNoiseMask", inputs: { samples: ["encoded", 0], mask: ["left", 0] } },
      },
    );
    const { results } = await runGraph(graph, { input: INPUT });
    const picture = results.get("picture")!.outputs[0] as ImageBatch;
    const { samples } = results.get("encoded")!.outputs[0] as Latent;
    const changed = picture.data.map((value, index) => Number(value !== samples.data[index]));
    const changedAt = (left: number, right: number) =>
      changed.some(
        (flag, index) => flag === 1 && Math.floor(index / 3) % 24 >= left && Math.floor(index / 3) % 24 < right,
      );

    expect(changedAt(0, 12)).toBe(true);
    expect(changedAt(12, 24)).toBe(false);
  });

  test("an upscaled latent keeps its composition at twice the size", async () => {
    const { width, height } = await pictureOf(
      txt2img(
        { picture: { samples: ["second", 0] } },
        {
          large: {
            class_type: "LatentUpscaleBy",
            inputs: { samples: ["sampler", 0], upscale_method: "bislerp", scale_by: 2 },
          },
          second: {
            class_type: "KSampler",
            inputs: { ...txt2img()["sampler"]!.inputs, latent_image: ["large", 0], denoise: 0.4 },
          },
        },
      ),
    );
    expect([width, height]).toEqual([128, 128]);
  });
});

test("custom sampling draws from guider, sigmas and noise", async () => {
  const custom = (seed: number): Graph =>
    txt2img(
      { picture: { samples: ["custom", 0] } },
      {
        noise: { class_type: "RandomNoise", inputs: { noise_seed: seed } },
        guider: {
          class_type: "CFGGuider",
          inputs: { model: ["model", 0], positive: ["positive", 0], negative: ["negative", 0], cfg: 4 },
        },
        name: { class_type: "KSamplerSelect", inputs: { sampler_name: "euler" } },
        sigmas: {
          class_type: "BasicScheduler",
          inputs: { model: ["model", 0], scheduler: "simple", steps: 6, denoise: 1 },
        },
        custom: {
          class_type: "SamplerCustomAdvanced",
          inputs: {
            noise: ["noise", 0],
            guider: ["guider", 0],
            sampler: ["name", 0],
            sigmas: ["sigmas", 0],
            latent_image: ["latent", 0],
          },
        },
      },
    );
  const { steps } = await runGraph(custom(1));

  expect(steps.filter(({ nodeId }) => nodeId === "custom")).toHaveLength(6);
  expect(bytesOf(await pictureOf(custom(1)))).not.toEqual(bytesOf(await pictureOf(custom(2))));
});

describe("our nodes", () => {
  const START: Graph = {
    start: { class_type: "EmptyImage", inputs: { width: 64, height: 64, batch_size: 1, color: 0x808080 } },
    encoded: { class_type: "VAEEncode", inputs: { pixels: ["start", 0], vae: ["model", 2] } },
    black: { class_type: "SolidMask", inputs: { value: 0, width: 64, height: 64 } },
    white: { class_type: "SolidMask", inputs: { value: 1, width: 32, height: 64 } },
    mask: {
      class_type: "MaskComposite",
      inputs: { destination: ["black", 0], source: ["white", 0], x: 0, y: 0, operation: "add" },
    },
  };
  const told = { model: ["lora", 0], vae: ["model", 2], pixels: ["start", 0], mask: ["mask", 0], weight: 1 };
  const soft = { model: ["lora", 0], samples: ["encoded", 0], mask: ["mask", 0], schedule_bias: 1 };
  const compared = { model: ["soft", 0], original: ["encoded", 0], samples: ["sampler", 0], mask: ["mask", 0] };
  const NODES: Graph = {
    ...START,
    told: { class_type: "ComfyEndpointInpaintModel", inputs: told },
    soft: { class_type: "ComfyEndpointSoftInpaint", inputs: { ...soft, preservation: 0.5, contrast: 4 } },
    compared: {
      class_type: "ComfyEndpointSoftInpaintMask",
      inputs: { ...compared, preservation: 0.5, mask_influence: 0, threshold: 0.5, contrast: 2 },
    },
  };
  const drawn = (changes: Changes = {}, node = "picture") => pictureOf(txt2img(changes, NODES), node);

  test("an inpainting model draws by what it is told", async () => {
    const sampler = { model: ["told", 0] };
    const changes: Changes[] = [
      { sampler },
      { sampler, told: { mask: ["black", 0] } },
      { sampler, told: { weight: 0.5 } },
      { sampler, start: { color: 0 } },
    ];
    const pictures = await Promise.all(changes.map((change) => drawn(change)));
    expect(new Set(pictures.map((picture) => bytesOf(picture).toString("base64"))).size).toBe(4);
  });

  test("soft inpainting leaves what is not masked, and shows where the picture changed", async () => {
    const changes = { sampler: { model: ["soft", 0], latent_image: ["encoded", 0] } };
    const [picture, start] = [await drawn(changes), await drawn(changes, "start")];
    const column = ({ data, width }: ImageBatch, x: number) => data.filter((_, at) => Math.floor(at / 3) % width === x);
    expect(column(picture, 60)).toEqual(column(start, 60));
    expect(column(picture, 5)).not.toEqual(column(start, 5));
    const mask = await drawn(changes, "compared");
    expect([mask.width, mask.height]).toEqual([8, 8]);
    expect(Math.max(...column(mask, 7))).toBe(0);
    expect(Math.min(...column(mask, 1))).toBeGreaterThan(0);
  });
});

test("every file says that no model drew it, beside the prompt and the workflow", async () => {
  const save: Graph = {
    save: { class_type: "SaveImage", inputs: { images: ["picture", 0], filename_prefix: "sub/%width%x%height%" } },
  };
  const { results, folders } = await runGraph(txt2img({}, save), { extraPnginfo: { workflow: { title: "día" } } });
  const [file] = results.get("save")!.ui!["images"] as { filename: string; subfolder: string }[];

  expect(file).toMatchObject({ filename: "64x64_00001_.png", subfolder: "sub" });
  const { comments } = await sharp(join(folders.output, "sub/64x64_00001_.png")).metadata();
  expect(comments).toEqual([
    { keyword: "prompt", text: expect.stringContaining("a red fox") },
    { keyword: "workflow", text: '{"title":"d\\u00eda"}' },
    { keyword: "engine", text: "comfy-endpoint emulator: no model drew this picture" },
  ]);
});

test("a large picture carries a label, a small one does not", async () => {
  const corner = async (size: number) => {
    const { data, width } = await pictureOf(txt2img({ latent: { width: size, height: size } }));
    return data.filter((value, index) => value === Math.fround(0.95) && Math.floor(index / 3 / width) > size * 0.9)
      .length;
  };
  expect(await corner(256)).toBeGreaterThan(300);
  expect(await corner(64)).toBe(0);
});
