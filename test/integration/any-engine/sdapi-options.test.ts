import { beforeAll, expect, test } from "vitest";
import type { RunningEndpoint } from "../../support/endpoint.ts";
import { quickTxt2Img } from "../../support/payloads.ts";
import { draw, sharedEndpoint } from "../../support/sdapi.ts";

let endpoint: RunningEndpoint;
beforeAll(() =>
  sharedEndpoint((started) => {
    endpoint = started;
  }),
);

const drawWith = async (override_settings: object, body: object = {}) => {
  const answer = await draw(endpoint, "txt2img", quickTxt2Img({ ...body, override_settings }));
  return { ...answer, data: answer.pictures[0]!.data };
};

test("emphasis: Ignore draws the words without their brackets, None the brackets too", async () => {
  const weighed = { prompt: "a (small:1.5) cat" };
  const plain = await drawWith({}, { prompt: "a small cat" });
  expect((await drawWith({ emphasis: "Ignore" }, weighed)).data).toEqual(plain.data);
  const literal = await drawWith({ emphasis: "None" }, weighed);
  expect(literal.data).not.toEqual(plain.data);
  expect(literal.data).not.toEqual((await drawWith({}, weighed)).data);
  expect(literal.info.infotexts[0]).toContain("Emphasis: None");
});

test("token merging changes the picture, and is told", async () => {
  const merged = await drawWith({ token_merging_ratio: 0.5 });
  expect(merged.data).not.toEqual((await drawWith({})).data);
  expect(merged.info.infotexts[0]).toContain("Token merging ratio: 0.5");
  expect(merged.warnings).toEqual([expect.stringContaining("token_merging_ratio")]);
});

test("UniPC has two variants", async () => {
  const body = { sampler_name: "UniPC", steps: 5 };
  const other = await drawWith({ uni_pc_variant: "bh2" }, body);
  expect(other.data).not.toEqual((await drawWith({ uni_pc_variant: "bh1" }, body)).data);
});

test("a grid comes first where it is asked for, with an infotext of its own", async () => {
  const body = { batch_size: 2, n_iter: 2, steps: 2, save_images: true };
  const { pictures, images, info } = await drawWith({ return_grid: true }, body);
  const sizes = pictures.map(({ width, height }) => [width, height]);
  expect(sizes).toEqual([
    [128, 128],
    [64, 64],
    [64, 64],
    [64, 64],
    [64, 64],
  ]);
  expect(info["index_of_first_image"]).toBe(1);
  expect(info.all_seeds).toHaveLength(4);
  expect(info.infotexts).toHaveLength(5);
  expect(info.infotexts[0]).toBe(info.infotexts[1]);
  const read = await endpoint.post("/sdapi/v1/png-info", { image: images[0] });
  expect(await read.json()).toMatchObject({ info: info.infotexts[0] });
  const [grid, , second] = pictures;
  const corner = Array.from({ length: 64 }, (_, x) => [...grid!.data.subarray((64 + x) * 3, (65 + x) * 3)]).flat();
  expect(corner).toEqual([...second!.data.subarray(0, 64 * 3)]);
});

test("without being asked for there is none, nor of a single picture", async () => {
  expect((await drawWith({}, { batch_size: 2, steps: 2, save_images: true })).pictures).toHaveLength(2);
  const single = await drawWith({ return_grid: true }, { steps: 2 });
  expect([single.pictures.length, single.info["index_of_first_image"]]).toEqual([1, 0]);
  const both = await drawWith({ return_grid: true, grid_only_if_multiple: false }, { steps: 2 });
  expect(both.pictures).toHaveLength(2);
});
