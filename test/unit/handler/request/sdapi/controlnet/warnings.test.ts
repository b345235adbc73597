/** What is told of ControlNet units: beside the pictures, and in `info`; with a grid too. */
import { describe, expect, test } from "vitest";
import { parseTxt2Img } from "../../../../../../handler/request/sdapi/txt2img.ts";
import { loadInventory } from "../../../../../support/catalogue.ts";
import { completed, output } from "../../../../../support/completed.ts";
import { squarePicture } from "../../../../../support/control-pictures.ts";
import { rejectionOf } from "../../../../../support/thrown.ts";

const inventory = await loadInventory(["a.safetensors", "b.safetensors"]);
const UNIT = { image: await squarePicture(), module: "none", model: "tiny-controlnet" };
const CANNY = { ...UNIT, module: "canny", pixel_perfect: true };

async function answerTo(units: unknown[], body: object = {}, isLenient = false, pictures = 1) {
  const alwayson_scripts = { controlnet: { args: units } };
  const request = parseTxt2Img({ steps: 4, width: 64, height: 64, seed: 1, ...body, alwayson_scripts }, { isLenient });
  const built = await request.build(inventory);
  const due = Array.from({ length: pictures }, () => output());
  const answer = built.encode(completed(due)) as { images: string[]; info: string; warnings?: string[] };
  const info = JSON.parse(answer.info) as Record<string, unknown>;
  expect(info["warnings"]).toEqual(answer.warnings);
  return { ...built, images: answer.images, warnings: answer.warnings ?? [], info };
}
const classesIn = ({ graph }: { graph: object }) =>
  Object.values(graph).map((node) => (node as { class_type: string }).class_type);
const countOf = (answer: { graph: object }, name: string) => classesIn(answer).filter((it) => it === name).length;

test("what ComfyUI's edges do otherwise is in the answer and in `info`, once a unit", async () => {
  const { warnings } = await answerTo([CANNY, UNIT, CANNY], { batch_size: 2 }, false, 2);
  expect(warnings).toEqual([
    expect.stringMatching(/args\.0: edges are ComfyUI's Canny/),
    expect.stringMatching(/args\.2: edges are ComfyUI's Canny/),
  ]);
  expect((await answerTo([UNIT])).warnings).toEqual([]);
});

test("a grid comes first, the maps come last and are not in it", async () => {
  const shown = { ...UNIT, save_detected_map: true };
  const grid = { batch_size: 2, override_settings: { return_grid: true } };
  const { compose, images, info } = await answerTo([shown], grid, false, 4);
  expect(images).toHaveLength(4);
  expect(info["index_of_first_image"]).toBe(1);
  expect(info["infotexts"]).toHaveLength(3);
  const file = async (edge: number) => Buffer.from(await squarePicture(edge), "base64");
  const drawn = [await file(4), await file(8), await file(12)];
  const [first, ...rest] = await compose!(drawn);
  expect(rest).toEqual(drawn);
  // The grid of two pictures alone.
  const [same] = await compose!(drawn.slice(0, 2));
  expect(first!.equals(same!)).toBe(true);
});

describe("in lenient mode", () => {
  test.each<[unit: object, part: string, code: string]>([
    [{ ...UNIT, module: "openpose" }, "openpose", "unsupported_feature"],
    [{ ...UNIT, model: "no-such-net" }, "model not found: no-such-net", "unknown_model"],
    [{ ...UNIT, advanced_weighting: [1] }, "advanced_weighting", "unsupported_feature"],
    [{ ...UNIT, image: [{ image: "a" }, { image: "b" }] }, "only one picture", "unsupported_feature"],
  ])("%# a unit that cannot be had is left out, and the others stay", async (unit, part, code) => {
    const refused = async () => answerTo([unit, UNIT]);
    expect(await rejectionOf(refused())).toMatchObject({ code, message: expect.stringContaining(part) });
    const answer = await answerTo([unit, UNIT], {}, true);
    expect(answer.warnings).toEqual([expect.stringContaining(part)]);
    expect(answer.warnings[0]).toMatch(/; the unit is left out$/);
    expect(countOf(answer, "ControlNetApplyAdvanced")).toBe(1);
    const { extra_generation_params } = answer.info as { extra_generation_params: object };
    const units = Object.keys(extra_generation_params).filter((label) => label.startsWith("ControlNet"));
    expect(units).toEqual(["ControlNet 0"]);
  });

  test("units beside a refiner are left out, and it stays", async () => {
    const body = { refiner_checkpoint: "b", refiner_switch_at: 0.5 };
    const answer = await answerTo([UNIT, CANNY], body, true);
    expect(answer.warnings).toEqual([
      expect.stringMatching(/a refiner beside ControlNet units .*; the units are left out$/),
    ]);
    expect(countOf(answer, "ControlNetApplyAdvanced")).toBe(0);
    expect(countOf(answer, "CheckpointLoaderSimple")).toBe(2);
  });

  test("a mistake is one all the same", async () => {
    const mistaken = async () => answerTo([{ ...UNIT, weight: "much" }], {}, true);
    expect((await rejectionOf(mistaken())).code).toBe("invalid_request");
  });
});
