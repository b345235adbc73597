/** From a request with ControlNet units to its graph. */
import { describe, expect, test } from "vitest";
import type { BuiltGraph } from "../../../../../../handler/request/request.ts";
import { parseTxt2Img } from "../../../../../../handler/request/sdapi/txt2img.ts";
import { Catalogue } from "../../../../../../runtime/comfyui/catalogue.ts";
import { createClient } from "../../../../../../runtime/comfyui/client.ts";
import { loadCatalogue, loadInventory } from "../../../../../support/catalogue.ts";
import { squarePicture } from "../../../../../support/control-pictures.ts";
import { decode } from "../../../../../support/pictures.ts";
import { rejectionOf } from "../../../../../support/thrown.ts";

const image = await squarePicture();
const smallMask = await squarePicture(4, 32);

async function build(unit: object, body: object = {}): Promise<BuiltGraph> {
  const request = parseTxt2Img({
    steps: 5,
    width: 64,
    height: 64,
    ...body,
    alwayson_scripts: { controlnet: { args: [unit] } },
  });
  return request.build(await loadInventory(["a.safetensors", "b.safetensors"], "own"));
}

const nodesOf = ({ graph }: BuiltGraph, classType: string) =>
  Object.values(graph).flatMap(({ class_type, inputs }) => (class_type === classType ? [inputs] : []));

test("a client's old canny unit", async () => {
  const unit = {
    input_image: image,
    module: "canny",
    model: "tiny-controlnet [d14c016b]",
    weight: 1,
    guidance: 1,
    lowvram: false,
    processor_res: 512,
    threshold_a: 75,
    threshold_b: 75,
  };
  const built = await build(unit, { width: 512, height: 512 });
  expect(nodesOf(built, "Canny")).toEqual([
    { image: [expect.any(String), 0], low_threshold: 0.294, high_threshold: 0.294 },
  ]);
  expect(nodesOf(built, "ControlNetLoader")).toEqual([{ control_net_name: "tiny-controlnet.safetensors" }]);
  expect(nodesOf(built, "ControlNetApplyAdvanced")).toHaveLength(1);
  expect(nodesOf(built, "ImageScale")).toEqual([]);
  expect(nodesOf(built, "SaveImage")).toHaveLength(1);
  const source = await decode(built.inputs![0]!.bytes);
  expect([source.width, source.height]).toEqual([512, 512]);
});

test("thresholds are brought into ComfyUI's bounds, the lower one first", async () => {
  const built = await build({
    image,
    model: "tiny",
    module: "canny",
    threshold_a: 255,
    threshold_b: 1,
    pixel_perfect: true,
  });
  expect(nodesOf(built, "Canny")).toEqual([expect.objectContaining({ low_threshold: 0.01, high_threshold: 0.99 })]);
});

describe("the picture that a unit looks at", () => {
  const firstPixel = async (unit: object) => {
    const { inputs } = await build({ model: "tiny-controlnet", ...unit });
    return [...(await decode(inputs![0]!.bytes)).data.subarray(0, 3)];
  };

  test("is inverted by its preprocessor", async () => {
    expect(await firstPixel({ image })).toEqual([0, 0, 0]);
    expect(await firstPixel({ image, module: "invert" })).toEqual([255, 255, 255]);
  });

  test("is what was drawn on it, where its mask has both black and white", async () => {
    const bright = await squarePicture(0);
    expect(await firstPixel({ image: bright })).toEqual([230, 230, 230]);
    expect(await firstPixel({ image: bright, mask: image })).toEqual([0, 0, 0]);
    expect(await firstPixel({ image, mask: await squarePicture(32) })).toEqual([0, 0, 0]);
  });

  test("has the size of its pass, also in the second of hires fix", async () => {
    const hires = { enable_hr: true, hr_scale: 2, denoising_strength: 0.5 };
    const { inputs } = await build({ model: "tiny-controlnet", image }, hires);
    const sizes = await Promise.all(inputs!.map(async ({ bytes }) => (await decode(bytes)).width));
    expect(sizes.sort()).toEqual([128, 64]);
  });

  test.each<[string, object, string]>([
    ["is no picture", { image: "abcd" }, "Invalid encoded image"],
    ["has a mask of another size", { image, mask: smallMask }, "not aligned with mask shape"],
    ["is an address", { image: "https://example.invalid/a.png" }, "pictures are not fetched"],
  ])("is refused where it %s", async (_, fields, words) => {
    const error = await rejectionOf(build({ model: "tiny-controlnet", ...fields }));
    expect(error.message).toContain(words);
    expect(error.message).toContain("alwayson_scripts.controlnet.args.0");
  });
});

test("a refiner beside units is refused", async () => {
  const refiner = { refiner_checkpoint: "b", refiner_switch_at: 0.5 };
  const error = await rejectionOf(build({ model: "tiny-controlnet", image }, refiner));
  expect(error).toMatchObject({ code: "unsupported_feature", details: { field: "refiner_checkpoint" } });
});

describe("on a ComfyUI without our nodes", () => {
  const inventory = async () => {
    const full = await loadCatalogue();
    const names = full.classTypes.filter((name) => !name.startsWith("ComfyEndpoint"));
    const input = { required: { control_net_name: [["tiny-controlnet.safetensors"]], ckpt_name: [["a.safetensors"]] } };
    const info = Object.fromEntries(names.map((name) => [name, { input }]));
    const client = {
      ...createClient("http://unused.invalid"),
      objectInfo: async () => info,
      embeddings: async () => [],
    };
    return { ...(await loadInventory()), catalogue: await Catalogue.load(client) };
  };
  const unit = { model: "tiny-controlnet", image };
  const parse = (fields: object, body: object = {}) =>
    parseTxt2Img({
      ...body,
      width: 64,
      height: 64,
      alwayson_scripts: { controlnet: { args: [{ ...unit, ...fields }] } },
    });

  test("only the balanced control mode is available", async () => {
    const error = await rejectionOf(parse({ control_mode: 1 }).build(await inventory()));
    expect(error).toMatchObject({ code: "unsupported_feature", details: { available: ["Balanced"] } });
    expect(nodesOf(await parse({}).build(await inventory()), "ControlNetApplyAdvanced")).toHaveLength(1);
  });
});

test("thin lines weigh less in the second pass of hires fix, as in the extension", async () => {
  const hires = { enable_hr: true, hr_scale: 2, denoising_strength: 0.5 };
  const built = await build({ model: "tiny-controlnet", image, module: "canny" }, hires);
  const soft = Object.entries(built.graph).filter(([, { class_type }]) => class_type === "ComfyEndpointSoftControl");
  expect(soft).toHaveLength(1);
  const applied = nodesOf(built, "ControlNetApplyAdvanced").map(
    ({ control_net }) => (control_net as [string, number])[0],
  );
  expect(applied.filter((id) => id === soft[0]![0])).toHaveLength(1);
});
