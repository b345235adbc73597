/** A1111's soft inpainting: the engine runs our nodes, and the result shows where the picture changed. */
import { beforeAll, describe, expect, test } from "vitest";
import type { RunningEndpoint } from "../../support/endpoint.ts";
import { decode, type Pixels } from "../../support/pictures.ts";
import { draw, sharedEndpoint } from "../../support/sdapi.ts";
import { standInPicture } from "../../support/stand-in-pictures.ts";

let endpoint: RunningEndpoint;
beforeAll(() =>
  sharedEndpoint((running) => {
    endpoint = running;
  }),
);

const PICTURE = (await standInPicture("@img192x128")) as string;
const MASK = (await standInPicture("@mask192x128 white(24,40,72,88)")) as string;
const original = await decode(Buffer.from(PICTURE, "base64"));
const BODY = {
  ...{ prompt: "a fox", steps: 4, seed: 7, init_images: [PICTURE], mask: MASK, denoising_strength: 1, mask_blur: 8 },
  ...{ inpainting_fill: 1, inpaint_full_res: false, width: 192, height: 128 },
};

const inpaint = (args: unknown[], body: object = {}) =>
  draw(endpoint, "img2img", { ...BODY, alwayson_scripts: { "soft inpainting": { args } }, ...body });

/** How many pixels of some columns are not the original's. */
function changed({ width, data }: Pixels, from: number, to: number): number {
  let pixels = 0;
  for (let at = 0; at < data.length; at += 3) {
    const column = (at / 3) % width;
    if (column < from || column >= to) continue;
    if (!data.subarray(at, at + 3).equals(original.data.subarray(at, at + 3))) pixels++;
  }
  return pixels;
}

describe.each([
  { inpaint_full_res: false, width: 192 },
  { inpaint_full_res: true, width: 128, inpaint_full_res_padding: 16 },
])("%j", (area) => {
  test("what lies far from the mask is the original's", async () => {
    const { pictures, info } = await inpaint([true], area);
    expect(pictures.map(({ width, height }) => [width, height])).toEqual([[192, 128]]);
    expect(changed(pictures[0]!, 24, 72)).toBeGreaterThan(1000);
    expect(changed(pictures[0]!, 144, 192)).toBe(0);
    expect(info.extra_generation_params).toMatchObject({ "Soft inpainting enabled": true });
  });
});

test("differs from a hard mask, which overlay_inpaint does not bring back", async () => {
  const dataOf = async (args: unknown[], body: object = {}) => (await inpaint(args, body)).pictures[0]!.data;
  const soft = await dataOf([true]);
  expect(soft.equals(await dataOf([false]))).toBe(false);
  expect(soft.equals(await dataOf([true], { override_settings: { overlay_inpaint: false } }))).toBe(true);
});

test("the settings count", async () => {
  const settings = [[], [8], [1, 4], [1, 0.5, 4, 1], [1, 0.5, 4, 0, 8]];
  const answers = await Promise.all(settings.map((own) => inpaint([true, ...own])));
  const seen = new Set(answers.map(({ pictures }) => pictures[0]!.data.toString("base64")));
  expect(seen.size).toBe(settings.length);
});

test("a threshold that no difference reaches gives the original", async () => {
  const { pictures } = await inpaint([true, 1, 0.5, 4, 0, 100, 100]);
  expect(pictures[0]!.data.equals(original.data)).toBe(true);
});

test("several pictures and a grid: only they come, each as it is alone", async () => {
  const body = { batch_size: 2, override_settings: { return_grid: true } };
  const { pictures, info } = await inpaint([true], body);
  expect(pictures.map(({ height }) => height)).toEqual([128, 128, 128]);
  expect(info["index_of_first_image"]).toBe(1);
  const alone = await inpaint([true], { seed: 8 });
  expect(pictures[2]!.data.equals(alone.pictures[0]!.data)).toBe(true);
});

test("with a refiner the original is kept to the end", async () => {
  const refined = { refiner_checkpoint: "tiny-sd15-inpaint", refiner_switch_at: 0.5 };
  const { pictures } = await inpaint([true], refined);
  expect(changed(pictures[0]!, 144, 192)).toBe(0);
});
