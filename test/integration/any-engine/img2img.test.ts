/** A1111's img2img and inpainting: the engine accepts every graph, and the pixels are where A1111 leaves them. */
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

const PICTURE = (await standInPicture("@img96x64")) as string;
const TALL = (await standInPicture("@img48x80")) as string;
/** White: 40 to 56 across, 24 to 40 down. */
const MASK = (await standInPicture("@mask96x64 white(40,24,56,40)")) as string;

const QUICK = { prompt: "a fox", steps: 4, seed: 7, width: 64, height: 64, init_images: [PICTURE] };
const img2img = (body: object) => draw(endpoint, "img2img", { ...QUICK, ...body });
const sizeOf = ({ width, height }: Pixels) => [width, height];
const original = await decode(Buffer.from(PICTURE, "base64"));

/** How many pixels differ from the picture that was sent, inside and outside of a box. */
function changesAround({ width, data }: Pixels, left: number, top: number, right: number, bottom: number) {
  const changes = { inside: 0, outside: 0 };
  for (let pixel = 0; pixel < data.length / 3; pixel++) {
    if (data.subarray(pixel * 3, pixel * 3 + 3).equals(original.data.subarray(pixel * 3, pixel * 3 + 3))) continue;
    const [x, y] = [pixel % width, Math.floor(pixel / width)];
    changes[x >= left && x < right && y >= top && y < bottom ? "inside" : "outside"]++;
  }
  return changes;
}

describe("resize modes", () => {
  // An engine's first checkpoint may be one for inpainting, which takes no picture that is stretched as a latent.
  const override_settings = { sd_model_checkpoint: "tiny-sd15" };

  test.each([0, 1, 2, 3])("%d gives the size that was asked for", async (resize_mode) => {
    const { pictures } = await img2img({ resize_mode, width: 72, height: 80, override_settings });
    expect(pictures.map(sizeOf)).toEqual([[72, 80]]);
  });

  test("give different pictures", async () => {
    const answers = await Promise.all(
      [0, 1, 2, 3].map((resize_mode) => img2img({ resize_mode, denoising_strength: 0, override_settings })),
    );
    const seen = new Set(answers.map(({ pictures }) => pictures[0]!.data.toString("base64")));
    expect(seen.size).toBe(4);
  });
});

test.each([
  { given: { resize_mode: 4, width: 96 }, taken: { resize_mode: 2, width: 96 } },
  { given: { mask: MASK, inpainting_fill: 9, width: 96 }, taken: { mask: MASK, inpainting_fill: 0, width: 96 } },
  { given: { denoising_strength: 2 }, taken: { denoising_strength: 0.999 } },
  { given: { seed: -5 }, taken: { seed: "18446744073709551611" } },
])("$given is what A1111 takes it for", async ({ given, taken }) => {
  const [first, second] = [await img2img(given), await img2img(taken)];
  expect(first.pictures[0]!.data.equals(second.pictures[0]!.data)).toBe(true);
});

test("a seed below zero is told as it was sent", async () => {
  const { info } = await img2img({ seed: -2, init_images: [PICTURE, PICTURE], batch_size: 2 });
  expect(info.all_seeds).toEqual([-2, -1]);
});

test("the larger the strength, the further from the picture; the seed counts", async () => {
  const dataOf = async (body: object) => (await img2img(body)).pictures[0]!.data;
  const [weak, strong, other] = [
    await dataOf({ denoising_strength: 0.25 }),
    await dataOf({ denoising_strength: 0.9 }),
    await dataOf({ denoising_strength: 0.9, seed: 8 }),
  ];
  expect(weak.equals(strong)).toBe(false);
  expect(other.equals(strong)).toBe(false);
  expect((await dataOf({ denoising_strength: 0.9 })).equals(strong)).toBe(true);
});

test("several pictures are a batch: one is drawn from each, in every iteration", async () => {
  const body = { init_images: [PICTURE, TALL], batch_size: 2, n_iter: 2, denoising_strength: 0.3 };
  const { pictures, info } = await img2img(body);
  expect(info.all_seeds).toEqual([7, 8, 9, 10]);
  const alone = await img2img({ init_images: [TALL], seed: 8, denoising_strength: 0.3 });
  expect(pictures).toHaveLength(4);
  expect(pictures[1]!.data.equals(alone.pictures[0]!.data)).toBe(true);
  expect(pictures[3]!.data.equals(alone.pictures[0]!.data)).toBe(false);
});

describe("inpainting", () => {
  const inpaint = (body: object) => img2img({ mask: MASK, mask_blur: 0, ...body });

  describe.each([0, 1, 2, 3])("inpainting_fill %d", (inpainting_fill) => {
    test("of the masked part: as large as the picture, which is untouched elsewhere", async () => {
      const { pictures, info } = await inpaint({ inpainting_fill, inpaint_full_res_padding: 8 });
      expect(pictures.map(sizeOf)).toEqual([[96, 64]]);
      const { inside, outside } = changesAround(pictures[0]!, 40, 24, 56, 40);
      expect(outside).toBe(0);
      expect(inside).toBeGreaterThan(100);
      expect(info.extra_generation_params).toMatchObject({ "Inpaint area": "Only masked", "Masked area padding": 8 });
    });

    test("of the whole picture, which is untouched elsewhere", async () => {
      const { pictures } = await inpaint({ inpainting_fill, inpaint_full_res: false, width: 96 });
      expect(pictures.map(sizeOf)).toEqual([[96, 64]]);
      const { inside, outside } = changesAround(pictures[0]!, 40, 24, 56, 40);
      expect(outside).toBe(0);
      expect(inside).toBeGreaterThan(100);
    });
  });

  test("a blurred mask reaches as far as it is blurred", async () => {
    const { pictures } = await inpaint({ mask_blur: 2, inpaint_full_res: false, width: 96, inpainting_fill: 1 });
    expect(changesAround(pictures[0]!, 35, 19, 61, 45).outside).toBe(0);
    expect(changesAround(pictures[0]!, 40, 24, 56, 40).outside).toBeGreaterThan(0);
  });

  test("an inverted mask", async () => {
    const { pictures } = await inpaint({ inpainting_mask_invert: 1, inpaint_full_res: false, width: 96 });
    const { inside, outside } = changesAround(pictures[0]!, 40, 24, 56, 40);
    expect(inside).toBe(0);
    expect(outside).toBeGreaterThan(1000);
  });

  test("a blank mask paints the whole picture", async () => {
    const blank = await standInPicture("@mask96x64 blank");
    const { pictures, info } = await inpaint({ mask: blank, width: 96 });
    expect(changesAround(pictures[0]!, 0, 0, 96, 64).inside).toBeGreaterThan(1000);
    expect(info.extra_generation_params).not.toHaveProperty("Inpaint area");
  });
});

test.each([
  [{ init_images: undefined }, 404, "Init image not found"],
  [{ init_images: null }, 404, "Init image not found"],
  [{ init_images: [] }, 422, "init_images"],
  [{ init_images: ["AAAA"] }, 400, "Invalid encoded image"],
  [{ init_images: [PICTURE.slice(0, 200)] }, 400, "Invalid encoded image"],
  [{ mask: "AAAA" }, 400, "mask"],
  [{ init_images: [PICTURE, PICTURE] }, 422, "bad number of images passed: 2; expecting 1 or less"],
  [{ resize_mode: 3, height: 56 }, 422, "at least 64"],
  [{ init_images: ["http://127.0.0.1/a.png"] }, 422, "addresses"],
])("%j is refused: %d %s", async (body, status, text) => {
  const response = await endpoint.post("/sdapi/v1/img2img", { ...QUICK, ...body });
  expect([response.status, await response.text()]).toEqual([status, expect.stringContaining(text)]);
});
