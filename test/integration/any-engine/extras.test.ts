import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { RunningEndpoint } from "../../support/endpoint.ts";
import { decode, pngText } from "../../support/pictures.ts";
import { rampPixels, rampPng } from "../../support/ramp.ts";
import { call, sharedEndpoint } from "../../support/sdapi.ts";

let endpoint: RunningEndpoint;
const dataDir = mkdtempSync(join(tmpdir(), "comfy-endpoint-test-"));
beforeAll(() =>
  sharedEndpoint(
    (running) => {
      endpoint = running;
    },
    { DATA_DIR: dataDir },
  ),
);
afterAll(() => rmSync(dataDir, { recursive: true, force: true }));

/** The tests' upscaler, which makes a square of four equal pixels of each. */
const MODEL = "tiny-2x";

interface Batch {
  images: string[];
  html_info: string;
}

async function upscale(picture: Buffer, request: object) {
  const body = { image: `data:image/png;base64,${picture.toString("base64")}`, ...request };
  const answer = await call<{ html_info: string; image: string }>(endpoint, "extra-single-image", body);
  const file = Buffer.from(answer.image, "base64");
  return { html: answer.html_info, file, ...(await decode(file)) };
}

/** The ramp with every pixel repeated. */
function repeated(width: number, height: number, times: number): Buffer {
  const source = rampPixels(width, height);
  const pixels = Buffer.alloc(width * height * times ** 2 * 3);
  for (let y = 0; y < height * times; y++) {
    for (let x = 0; x < width * times; x++) {
      const from = (Math.floor(y / times) * width + Math.floor(x / times)) * 3;
      source.copy(pixels, (y * width * times + x) * 3, from, from + 3);
    }
  }
  return pixels;
}

function expectPixels(given: Buffer, expected: Buffer): void {
  expect(given.length).toBe(expected.length);
  const wrong = expected.findIndex((value, at) => given[at] !== value);
  expect(wrong, `byte ${wrong}: ${given[wrong]} instead of ${expected[wrong]}`).toBe(-1);
}

test("a model's pixels arrive as it made them, with the texts of the file and of what was done", async () => {
  const { html, file, width, height, data } = await upscale(await rampPng(24, 16), { upscaler_1: MODEL });
  expect([width, height]).toEqual([48, 32]);
  expectPixels(data, repeated(24, 16, 2));
  const text = "Postprocess upscale by: 2, Postprocess upscaler: tiny-2x";
  expect(html).toBe(`<p>${text}</p>`);
  expect(await pngText(file, "postprocessing")).toBe(text);
  expect(await pngText(file, "prompt"), "the graph is ours").toBeUndefined();
});

test("a factor of 4 takes two runs", async () => {
  const { data } = await upscale(await rampPng(16, 8), { upscaler_1: MODEL, upscaling_resize: 4 });
  expectPixels(data, repeated(16, 8, 4));
});

test("a factor of 3 takes two runs, and what is too much is taken away by Lanczos", async () => {
  const { width, height, data } = await upscale(await rampPng(16, 8), { upscaler_1: MODEL, upscaling_resize: 3 });
  expect([width, height]).toEqual([48, 24]);
  const larger = await upscale(await rampPng(16, 8), { upscaler_1: "Nearest", upscaling_resize: 4 });
  const smaller = await upscale(larger.file, { upscaler_1: "Lanczos", upscaling_resize: 0.75 });
  expectPixels(data, smaller.data);
});

test("to a size: cut off around the middle, or left as large as it is", async () => {
  const request = { upscaler_1: MODEL, resize_mode: 1, upscaling_resize_w: 32, upscaling_resize_h: 32 };
  const picture = await rampPng(24, 16);
  const whole = await upscale(picture, { ...request, upscaling_crop: false });
  expect([whole.width, whole.height]).toEqual([48, 32]);
  expectPixels(whole.data, repeated(24, 16, 2));
  const cut = await upscale(picture, request);
  expect([cut.width, cut.height]).toEqual([32, 32]);
  const rows = Array.from({ length: 32 }, (_, y) => whole.data.subarray((y * 48 + 8) * 3, (y * 48 + 40) * 3));
  expectPixels(cut.data, Buffer.concat(rows));
  expect(cut.html).toContain("Postprocess upscale to: 32x32, Postprocess crop to: 32x32");
});

test("a second upscaler of one half gives the mean, whichever is first", async () => {
  const picture = await rampPng(16, 16);
  const lanczos = (await upscale(picture, { upscaler_1: "Lanczos" })).data;
  const model = repeated(16, 16, 2);
  for (const [upscaler_1, upscaler_2, from, to] of [
    [MODEL, "Lanczos", model, lanczos],
    ["Lanczos", MODEL, lanczos, model],
    [MODEL, MODEL, model, model],
  ] as const) {
    const { html, data } = await upscale(picture, { upscaler_1, upscaler_2, extras_upscaler_2_visibility: 0.5 });
    expectPixels(data, Buffer.from(from.map((value, at) => Math.trunc(value + (to[at]! - value) / 2))));
    expect(html).toContain(`Postprocess upscaler: ${upscaler_1}, Postprocess upscaler 2: ${upscaler_2}`);
  }
});

test("several pictures in one request keep their order, equal ones too", async () => {
  const sizes = [
    [16, 16],
    [24, 8],
    [16, 16],
  ] as const;
  const files = await Promise.all(sizes.map(([width, height]) => rampPng(width, height)));
  const imageList = files.map((file, index) => ({ data: file.toString("base64"), name: `${index}.png` }));
  const request = { imageList, upscaler_1: MODEL };
  const { images, html_info } = await call<Batch>(endpoint, "extra-batch-images", request);
  expect(html_info).toBe("<p>Postprocess upscale by: 2, Postprocess upscaler: tiny-2x</p>");
  expect(images).toHaveLength(3);
  for (const [index, [width, height]] of sizes.entries())
    expectPixels((await decode(Buffer.from(images[index]!, "base64"))).data, repeated(width, height, 2));
});

test("a model drops alpha", async () => {
  const { file } = await upscale(await rampPng(16, 16, "RGBA"), { upscaler_1: MODEL });
  const { data } = await decode(file);
  expectPixels(data, repeated(16, 16, 2));
});

test("neither pictures of requests nor of results stay on disk", async () => {
  await upscale(await rampPng(16, 16), { upscaler_1: MODEL });
  await vi.waitFor(() => {
    expect(readdirSync(join(dataDir, "output"))).toEqual([]);
    expect(readdirSync(join(dataDir, "input", "comfy-endpoint"))).toEqual([]);
  });
});

test("an unknown upscaler is refused in A1111's words", async () => {
  const image = (await rampPng(16, 16)).toString("base64");
  const response = await endpoint.post("/sdapi/v1/extra-single-image", { image, upscaler_1: "nope" });
  expect(response.status).toBe(422);
  expect(await response.json()).toMatchObject({
    error: "unknown_model",
    detail: expect.stringMatching(/could not find upscaler named nope; there are: None, Lanczos, Nearest, tiny-2x/),
  });
});
