/** What checkpoints with nine channels are told of mask and picture. */
import { describe, expect, test } from "vitest";
import type { BuiltGraph } from "../../../../../handler/request/request.ts";
import { parseImg2Img } from "../../../../../handler/request/sdapi/img2img.ts";
import { parseTxt2Img } from "../../../../../handler/request/sdapi/txt2img.ts";
import { checkGraph } from "../../../../../workflows/check-graph.ts";
import { HEADERS } from "../../../../support/model-headers.ts";
import { inventoryOf } from "../../../../support/model-inventory.ts";
import { decode } from "../../../../support/pictures.ts";
import { safetensorsFile } from "../../../../support/safetensors.ts";
import { standInPicture } from "../../../../support/stand-in-pictures.ts";
import { rejectionOf } from "../../../../support/thrown.ts";

const FILES = {
  "checkpoints/inpaint.safetensors": safetensorsFile(HEADERS.sd1Inpainting),
  "checkpoints/sd1.safetensors": safetensorsFile(HEADERS.sd1),
};
const START = { init_images: [await standInPicture("@img64x64")] };
const MASKED = { ...START, mask: await standInPicture("@mask64 white(16,16,48,48)"), inpaint_full_res: false };
const QUICK = { steps: 4, seed: 1, width: 64, height: 64 };

async function build(parse: typeof parseTxt2Img, body: object, options: object = {}): Promise<BuiltGraph> {
  const inventory = await inventoryOf(FILES);
  const override_settings = { sd_model_checkpoint: "inpaint", ...options };
  const built = await parse({ ...QUICK, ...body, override_settings }).build(inventory);
  expect(checkGraph(built.graph, inventory.catalogue)).toBe(built.graph);
  return built;
}

/** Pixels and mask by the classes of their nodes, and how much is hidden. */
const told = ({ graph }: BuiltGraph) =>
  Object.values(graph).flatMap(({ class_type, inputs }) => {
    if (class_type !== "ComfyEndpointInpaintModel") return [];
    const sources = [inputs["pixels"], inputs["mask"]].map((link) => graph[(link as [string, number])[0]]!.class_type);
    return [[...sources, inputs["weight"]]];
  });

const BLANK = ["EmptyImage", "SolidMask", 1];

describe("an inpainting checkpoint is told", () => {
  test.each<[body: object, expected: unknown[]]>([
    [{}, [BLANK]],
    [{ batch_size: 2 }, [BLANK]],
    [{ enable_hr: true, hr_scale: 2, denoising_strength: 0.5 }, [BLANK, BLANK]],
    [{ refiner_checkpoint: "sd1", refiner_switch_at: 0.5 }, [BLANK]],
  ])("txt2img %j: that all is masked", async (body, expected) => {
    expect(told(await build(parseTxt2Img, body))).toEqual(expected);
  });

  test.each<[body: object, options: object, expected: unknown[]]>([
    [START, {}, [["LoadImage", "SolidMask", 1]]],
    [MASKED, { inpainting_mask_weight: 0.25 }, [["LoadImage", "LoadImageMask", 0.25]]],
    [MASKED, { sd_model_checkpoint: "sd1" }, []],
  ])("img2img: picture and mask", async (body, options, expected) => {
    expect(told(await build(parseImg2Img, body, options))).toEqual(expected);
  });

  test.each<[body: object, greys: number]>([
    [{}, 2],
    [{ mask_round: false }, 20],
    [{ alwayson_scripts: { "soft inpainting": { args: [true] } } }, 20],
  ])("the mask as it was before it was brought to the latent's cells, rounded unless %j", async (body, greys) => {
    const { graph, inputs } = await build(parseImg2Img, { ...MASKED, mask_blur: 4, ...body });
    const node = Object.values(graph).find(({ class_type }) => class_type === "ComfyEndpointInpaintModel")!;
    const mask = graph[(node.inputs["mask"] as [string, number])[0]]!.inputs["image"];
    const { data } = await decode(inputs!.find(({ name }) => name === mask)!.bytes);
    expect(new Set(data).size).toBeGreaterThanOrEqual(greys);
    if (greys === 2) expect(new Set(data)).toEqual(new Set([0, 255]));
    // Cells are eight pixels wide: the blurred edge lies between them.
    const row = [...data.subarray(32 * 64 * 3, 33 * 64 * 3)].filter((_, index) => index % 3 === 0);
    expect(new Set(row.slice(8, 24)).size).toBeGreaterThan(1);
  });
});

test("another weight in a second pass is refused: A1111 would show it the first pass", async () => {
  const body = { enable_hr: true, denoising_strength: 0.5 };
  const refused = () => build(parseTxt2Img, body, { inpainting_mask_weight: 0.5 });
  expect(await rejectionOf(refused())).toMatchObject({
    code: "unsupported_feature",
    message: expect.stringContaining("inpainting_mask_weight"),
  });
  expect(told(await build(parseTxt2Img, body, { inpainting_mask_weight: 1 }))).toEqual([BLANK, BLANK]);
});
