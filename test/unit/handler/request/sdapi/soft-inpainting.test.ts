import { describe, expect, test } from "vitest";
import type { BuiltGraph, Inventory } from "../../../../../handler/request/request.ts";
import { parseImg2Img } from "../../../../../handler/request/sdapi/img2img.ts";
import { Catalogue } from "../../../../../runtime/comfyui/catalogue.ts";
import { createClient } from "../../../../../runtime/comfyui/client.ts";
import recorded from "../../../../fixtures/sdapi/infotext.json" with { type: "json" };
import { loadCatalogue, loadInventory } from "../../../../support/catalogue.ts";
import { completed, output } from "../../../../support/completed.ts";
import { decode } from "../../../../support/pictures.ts";
import { standInPicture } from "../../../../support/stand-in-pictures.ts";
import { rejectionOf, thrownBy } from "../../../../support/thrown.ts";

const inventory = await loadInventory(["a.safetensors", "b.safetensors"], "own");
const PICTURE = await standInPicture("@img64x64");
const MASK = await standInPicture("@mask64 white(16,16,48,48)");
const BODY = { steps: 4, seed: 1, width: 64, height: 64, init_images: [PICTURE], mask: MASK, inpaint_full_res: false };
const soft = (...args: unknown[]) => ({ alwayson_scripts: { "Soft Inpainting": { args } } });
const DEFAULTS = { schedule_bias: 1, preservation: 0.5, contrast: 4 };
const COMPARED = { preservation: 0.5, mask_influence: 0, threshold: 0.5, contrast: 2 };

const build = (body: object, on: Inventory = inventory) => parseImg2Img({ ...BODY, ...body }).build(on);
const nodesOf = ({ graph }: BuiltGraph, classType: string) =>
  Object.values(graph).flatMap(({ class_type, inputs }) => (class_type === classType ? [inputs] : []));
const infoOf = (built: BuiltGraph, pictures = 1) => {
  const answer = built.encode(completed(Array.from({ length: pictures }, () => output()))) as Record<string, string>;
  return { ...answer, info: JSON.parse(answer["info"]!) as Record<string, unknown> };
};

test("beside a hard mask a refiner is refused, or left aside in lenient mode", async () => {
  const body = { ...BODY, refiner_checkpoint: "b", refiner_switch_at: 0.5 };
  const strict = async () => parseImg2Img(body).build(inventory);
  const details = { field: "refiner_checkpoint" };
  expect(await rejectionOf(strict())).toMatchObject({ code: "unsupported_feature", details });
  const lenient = await parseImg2Img(body, { isLenient: true }).build(inventory);
  expect(nodesOf(lenient, "SamplerCustomAdvanced")).toHaveLength(1);
  const { warnings } = infoOf(lenient) as unknown as { warnings: string[] };
  expect(warnings).toEqual([expect.stringMatching(/^refiner_checkpoint: .*; there is no refiner$/)]);
});

describe("the script", () => {
  test.each<[args: unknown[], model: object, mask: object]>([
    [[true], {}, {}],
    [[1, "2", 3, 4.5], { schedule_bias: 2, preservation: 3, contrast: 4.5 }, { preservation: 3 }],
    [
      [true, null, 0, 1, 0.25, 0, 8, "more"],
      { preservation: 0, contrast: 1 },
      { preservation: 0, mask_influence: 0.25, threshold: 0, contrast: 8 },
    ],
  ])("%j", async (args, model, mask) => {
    const built = await build(soft(...args));
    expect(nodesOf(built, "ComfyEndpointSoftInpaint")).toEqual([expect.objectContaining({ ...DEFAULTS, ...model })]);
    expect(nodesOf(built, "ComfyEndpointSoftInpaintMask")).toEqual([expect.objectContaining({ ...COMPARED, ...mask })]);
    expect(nodesOf(built, "SetLatentNoiseMask")).toEqual([]);
    expect(nodesOf(built, "SaveImage").map(({ filename_prefix }) => filename_prefix)).toEqual([
      "img2img_000",
      "mask_0",
    ]);
  });

  test("does not round the mask", async () => {
    const greys = async (body: object) => {
      const { inputs } = await build({ ...body, mask_blur: 8 });
      return new Set((await decode(inputs![1]!.bytes)).data).size;
    };
    expect(await greys({})).toBe(2);
    expect(await greys({ mask_round: false })).toBeGreaterThan(5);
    expect(await greys(soft(true))).toBe(await greys({ mask_round: false }));
  });

  test.each([
    {},
    soft(),
    soft(false, 1, 2, 3),
    soft("false"),
    soft(0),
    { alwayson_scripts: { "soft inpainting": null } },
    { alwayson_scripts: { "soft inpainting": {} } },
    { alwayson_scripts: { "soft inpainting": { args: null } } },
  ])("%j: off", async (body) => {
    const built = await build(body);
    expect(nodesOf(built, "ComfyEndpointSoftInpaint")).toEqual([]);
    expect(nodesOf(built, "SetLatentNoiseMask")).toHaveLength(1);
    expect(infoOf(built).info["extra_generation_params"]).not.toHaveProperty("Soft inpainting enabled");
  });

  test("does nothing without a mask, or on other tabs", async () => {
    const built = await build({ ...soft(true), mask: null });
    expect(nodesOf(built, "ComfyEndpointSoftInpaint")).toEqual([]);
    expect(infoOf(built).info["extra_generation_params"]).not.toHaveProperty("Soft inpainting enabled");
  });

  test("has a model and a mask for each picture's latent, and the refiner keeps the original too", async () => {
    const refined = { refiner_checkpoint: "b", refiner_switch_at: 0.5, batch_size: 2, n_iter: 2 };
    const built = await build({ ...soft(true), ...refined, inpainting_fill: 2 });
    // The noise under the mask is that of the batch, which is drawn twice.
    expect(nodesOf(built, "ComfyEndpointSoftInpaint")).toHaveLength(4);
    expect(nodesOf(built, "ComfyEndpointSoftInpaintMask")).toHaveLength(4);
    expect(nodesOf(built, "SaveImage").map(({ filename_prefix }) => filename_prefix)).toEqual([
      ...["img2img_000", "img2img_001", "img2img_002", "img2img_003"],
      ...["mask_0", "mask_1", "mask_2", "mask_3"],
    ]);
  });

  test.each([
    [soft(true, "x"), "alwayson_scripts.soft inpainting.args.1: value is not a valid float"],
    [soft(true, 1, 1, 0), "alwayson_scripts.soft inpainting.args.3"],
    [soft(true, 1, 1, 1, 2), "alwayson_scripts.soft inpainting.args.4"],
    [{ alwayson_scripts: { "soft inpainting": { args: 5 } } }, "alwayson_scripts.soft inpainting.args"],
    [
      { ...soft(true), inpainting_fill: 1, resize_mode: 3, width: 128 },
      "resize_mode: 3 with soft inpainting needs a picture of 128x64",
    ],
  ])("%j is a mistake", async (body, message) => {
    const refused = async () => build(body);
    expect(await rejectionOf(refused())).toMatchObject({
      code: "invalid_request",
      message: expect.stringContaining(message),
    });
  });
});

describe("what it cannot be done with", () => {
  test.each(["DDIM", "UniPC"])("%s, and is refused by name", async (sampler_name) => {
    const body = { ...soft(true), sampler_name };
    expect(await rejectionOf(build(body))).toMatchObject({
      code: "unsupported_feature",
      message: expect.stringContaining(sampler_name),
    });
    const lenient = await parseImg2Img({ ...BODY, ...body }, { isLenient: true }).build(inventory);
    expect(nodesOf(lenient, "SetLatentNoiseMask")).toHaveLength(1);
    const { warnings, info } = infoOf(lenient) as { warnings?: string[]; info: Record<string, unknown> };
    expect(warnings).toEqual([
      expect.stringMatching(/soft inpainting with the sampler .*; the mask counts as without it$/),
    ]);
    expect(info["extra_generation_params"]).not.toHaveProperty("Soft inpainting enabled");
  });

  test("a ComfyUI without the nodes", async () => {
    const full = await loadCatalogue(["a.safetensors"]);
    const classes = ["KSampler", "CheckpointLoaderSimple"];
    const catalogue = await Catalogue.load({
      ...createClient("http://unused.invalid"),
      objectInfo: async () =>
        Object.fromEntries(
          classes.map((name) => [
            name,
            {
              input: {
                required: { ckpt_name: [["a.safetensors"]], sampler_name: [full.choices(name, "sampler_name")] },
              },
            },
          ]),
        ),
      embeddings: async () => [],
    });
    expect(await rejectionOf(build(soft(true), { ...inventory, catalogue }))).toMatchObject({
      code: "unsupported_feature",
      message: expect.stringContaining("needs the node ComfyEndpointSoftInpaint"),
    });
  });
});

describe("infotexts", () => {
  const golden = recorded.create.find(({ name }) => name === "soft inpainting") as unknown as {
    request: Record<string, unknown>;
    extra_generation_params?: object;
    infotexts: string[];
  };
  const labels = (parameters: object) => Object.entries(parameters).filter(([label]) => label.startsWith("Soft"));
  const own = async (body: object) => (infoOf(await build(body)).info["extra_generation_params"] ?? {}) as object;

  test("tell it as A1111's do", async () => {
    const request = { ...golden.request, init_images: [PICTURE], mask: MASK };
    const { info } = infoOf(await parseImg2Img(request).build(inventory));
    const told = golden.infotexts[0]!.match(/Soft inpainting.*(?=, Version)/)![0];
    expect((info["infotexts"] as string[])[0]).toContain(told);
    const parameters = Object.entries(info["extra_generation_params"] as object);
    expect(parameters).toEqual(Object.entries(golden.extra_generation_params!));
  });

  test("give it back, unless the request says otherwise", async () => {
    const infotext = golden.infotexts[0]!.replace("schedule bias: 1", "schedule bias: 3");
    const rest = { infotext, override_settings: {} };
    expect(labels(await own(rest))).toEqual(labels(await own(soft(true, 3))));
    expect(labels(await own({ ...rest, ...soft(true, 2) }))).toEqual(labels(await own(soft(true, 2))));
    expect(labels(await own({ ...rest, ...soft(false) }))).toEqual([]);
  });
});

test("is not one of txt2img's", async () => {
  const { parseTxt2Img } = await import("../../../../../handler/request/sdapi/txt2img.ts");
  expect(thrownBy(() => parseTxt2Img(soft(true)))).toMatchObject({ message: "Script 'Soft Inpainting' not found" });
});
