/** ControlNet units of A1111's requests steer the picture, on every engine. */
import { beforeAll, describe, expect, test } from "vitest";
import { squarePicture } from "../../support/control-pictures.ts";
import type { RunningEndpoint } from "../../support/endpoint.ts";
import { quickTxt2Img } from "../../support/payloads.ts";
import { draw, sharedEndpoint } from "../../support/sdapi.ts";

let endpoint: RunningEndpoint;
let image: string;
beforeAll(() =>
  sharedEndpoint(async (running) => {
    endpoint = running;
    image = await squarePicture();
  }),
);

const txt2img = (units: object[], body: object = {}, route = "txt2img") =>
  draw(endpoint, route, quickTxt2Img({ steps: 4, alwayson_scripts: { controlnet: { args: units } }, ...body }));

const unit = (fields: object = {}) => ({ enabled: true, model: "tiny-controlnet", image, ...fields });
const dataOf = async (units: object[], body: object = {}) => (await txt2img(units, body)).pictures[0]!.data;

describe("a unit", () => {
  test("changes the picture the more it weighs, and not at all with a weight of 0", async () => {
    const plain = await dataOf([]);
    const distance = (other: Buffer) => other.reduce((sum, value, index) => sum + Math.abs(value - plain[index]!), 0);
    const [none, half, whole] = [
      distance(await dataOf([unit({ weight: 0 })])),
      distance(await dataOf([unit({ weight: 0.5 })])),
      distance(await dataOf([unit({ weight: 1.5 })])),
    ];
    expect(none).toBe(0);
    expect(half).toBeGreaterThan(0);
    expect(whole).toBeGreaterThan(half);
  });

  test("that is off changes nothing", async () => {
    const plain = await dataOf([]);
    expect(plain.equals(await dataOf([unit({ enabled: false })]))).toBe(true);
    expect(plain.equals(await dataOf([{}]))).toBe(true);
  });

  test("holds in its share of the steps only", async () => {
    const [plain, whole] = [await dataOf([]), await dataOf([unit()])];
    const [early, late] = [await dataOf([unit({ guidance_end: 0 })]), await dataOf([unit({ guidance_start: 0.4 })])];
    for (const part of [early, late]) expect([plain, whole].some((other) => other.equals(part))).toBe(false);
    expect(early.equals(late)).toBe(false);
    // No step of four shows more than half.
    expect(plain.equals(await dataOf([unit({ guidance_start: 0.9 })]))).toBe(true);
  });

  test.each(["canny", "invert (from white bg & black line)", "tile_resample"])(
    "draws its map by %s",
    async (module) => {
      const thresholds =
        module === "canny" ? { threshold_a: 75, threshold_b: 75, processor_res: 64 } : { threshold_a: 4 };
      const { pictures, info } = await txt2img([unit({ module, ...thresholds })]);
      expect(pictures).toHaveLength(1);
      expect(pictures[0]!.data.equals(await dataOf([unit()]))).toBe(false);
      expect(info.extra_generation_params["ControlNet 0"]).toContain(
        `Module: ${module}, Model: tiny-controlnet, Weight: 1.0`,
      );
      expect(info.infotexts[0]).toContain(`ControlNet 0: "Module: ${module}, `);
    },
  );

  test("adds its map to the pictures only if it says so", async () => {
    const { pictures } = await txt2img([unit({ module: "canny", processor_res: 64, save_detected_map: true })]);
    expect(pictures).toHaveLength(2);
    const { data } = pictures[1]!;
    expect(new Set(data)).toEqual(new Set([0, 255]));
    const share = data.filter((value) => value === 255).length / data.length;
    // The outline of a square.
    expect(share).toBeGreaterThan(0.01);
    expect(share).toBeLessThan(0.15);
  });

  test.each([
    ["Just Resize", 128, 64],
    ["Crop and Resize", 128, 64],
    ["Resize and Fill", 128, 64],
    ["Resize and Fill", 64, 128],
  ])("brings a map of edges to the size of the picture: %s, %i x %i", async (resize_mode, width, height) => {
    const fields = { module: "canny", processor_res: 64, save_detected_map: true, resize_mode };
    const { pictures, warnings } = await txt2img([unit(fields)], { width, height });
    expect([pictures[1]!.width, pictures[1]!.height]).toEqual([width, height]);
    expect(warnings?.some((warning) => warning.includes("thinned"))).toBe(resize_mode !== "Resize and Fill");
  });

  test("has A1111's three control modes, and each draws another picture", async () => {
    const modes = ["Balanced", "My prompt is more important", "ControlNet is more important"];
    const drawn = await Promise.all(modes.map((control_mode) => dataOf([unit({ control_mode })])));
    expect(new Set(drawn.map((data) => data.toString("base64"))).size).toBe(3);
  });

  test("may tell a union ControlNet what its map is", async () => {
    expect(await dataOf([unit({ union_control_type: "Depth" })])).toHaveLength(64 * 64 * 3);
  });
});

test("two units add up", async () => {
  const other = unit({ image: await squarePicture(24), weight: 0.7 });
  const [first, second, both] = [await dataOf([unit()]), await dataOf([other]), await dataOf([unit(), other])];
  expect(both.equals(first)).toBe(false);
  expect(both.equals(second)).toBe(false);
});

test("a unit holds in one pass of hires fix or in both", async () => {
  const hires = { enable_hr: true, hr_scale: 2, denoising_strength: 0.7, hr_second_pass_steps: 3 };
  const options = ["Both", "Low res only", "High res only"];
  const drawn = [await dataOf([], hires)];
  for (const hr_option of options) drawn.push(await dataOf([unit({ hr_option })], hires));
  expect(new Set(drawn.map((data) => data.toString("base64"))).size).toBe(4);
  const { pictures } = await txt2img([unit({ module: "canny", save_detected_map: true })], hires);
  expect(pictures.map(({ width }) => width)).toEqual([128, 128, 64]);
});

describe("in img2img", () => {
  const img2img = (units: object[], body: object = {}) =>
    txt2img(units, { init_images: [image], denoising_strength: 0.7, ...body }, "img2img");

  test("a unit holds, and one without a picture takes the one that is started from", async () => {
    const [plain, own, started] = [await img2img([]), await img2img([unit()]), await img2img([unit({ image: "" })])];
    expect(own.pictures[0]!.data.equals(plain.pictures[0]!.data)).toBe(false);
    expect(own.pictures[0]!.data.equals(started.pictures[0]!.data)).toBe(true);
  });

  test("where only the masked area is painted, the map is that area's, and the picture keeps its size", async () => {
    const [init, mask] = [await squarePicture(32, 128), await squarePicture(48, 128)];
    const body = { init_images: [init], mask, inpaint_full_res: true, mask_blur: 0, inpainting_fill: 1 };
    const fields = { image: null, save_detected_map: true };
    const [cut, whole] = [
      await img2img([unit(fields)], body),
      await img2img([unit({ ...fields, inpaint_crop_input_image: false })], body),
    ];
    for (const { pictures } of [cut, whole])
      expect(pictures.map(({ width, height }) => [width, height])).toEqual([
        [128, 128],
        [64, 64],
      ]);
    // Within the masked area all is bright.
    expect(Math.min(...cut.pictures[1]!.data)).toBeGreaterThan(200);
    expect(Math.min(...whole.pictures[1]!.data)).toBe(0);
  });
});

test.each([
  ["an unknown model", { model: "nope" }, 404, "tiny-controlnet"],
  ["a preprocessor that is not there", { module: "openpose_full" }, 422, "openpose_full"],
  ["a window that ends before it starts", { guidance_start: 0.5, guidance_end: 0.2 }, 422, "guidance_start(0.5)"],
  ["a unit without a picture", { image: "" }, 422, "no input image is given"],
])("%s is refused", async (_, fields, status, words) => {
  const request = quickTxt2Img({ alwayson_scripts: { ControlNet: { args: [unit(fields)] } } });
  const response = await endpoint.post("/sdapi/v1/txt2img", request);
  expect([response.status, await response.text()]).toEqual([status, expect.stringContaining(words)]);
});
