import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { readPngTexts } from "../../../../../handler/outputs/png-text.ts";
import type { Made } from "../../../../../handler/request/request.ts";
import { parseExtras } from "../../../../../handler/request/sdapi/extras.ts";
import recorded from "../../../../fixtures/sdapi/extras.json" with { type: "json" };
import { loadInventory } from "../../../../support/catalogue.ts";
import { chunkOf } from "../../../../support/picture-files.ts";
import { rampPixels, rampPng } from "../../../../support/ramp.ts";
import { rejectionOf, thrownBy } from "../../../../support/thrown.ts";

const never = new AbortController().signal;
const inventory = await loadInventory();

interface Recorded {
  image: number[];
  mode?: string;
  request: Record<string, unknown>;
  html_info: string;
  out: number[];
  out_mode?: string;
  text_chunks?: Record<string, string>;
}

interface Answer {
  html_info: string;
  image?: string;
  images?: string[];
}

function answerOf({ artifacts, encode }: Made): Answer {
  const timings = { preparing: 0, queued: 0, running: 0, delivering: 0, total: 0 };
  return encode({ id: "1", outputs: artifacts, timings }) as Answer;
}

async function single(image: Buffer, request: Record<string, unknown>) {
  const parsed = parseExtras("extra-single-image", { image: image.toString("base64"), ...request });
  const answer = answerOf(await parsed.make!(never));
  return { answer, file: Buffer.from(answer.image!, "base64") };
}

const pixelsOf = async (file: Buffer) => sharp(file).raw().toBuffer();
const unescaped = (html: string) => html.replace(/^<p>|<\/p>$/g, "");

/** With the texts after the header. */
const withTexts = (png: Buffer, texts: Record<string, string>) =>
  Buffer.concat([
    png.subarray(0, 33),
    ...Object.entries(texts).map(([keyword, text]) => chunkOf("tEXt", `${keyword}\0${text}`)),
    png.subarray(33),
  ]);

describe("A1111's answers", () => {
  test.each((recorded.single as Recorded[]).map((wanted) => [JSON.stringify(wanted.request), wanted] as const))(
    "%s",
    async (_name, wanted) => {
      const [width = 0, height = 0] = wanted.image;
      const { postprocessing: _, ...before } = wanted.text_chunks ?? {};
      const mode = wanted.mode === "RGBA" || wanted.mode === "L" ? wanted.mode : "RGB";
      const { answer, file } = await single(withTexts(await rampPng(width, height, mode), before), wanted.request);
      expect(answer.html_info).toBe(wanted.html_info);
      const { channels, ...size } = await sharp(file).metadata();
      expect([size.width, size.height]).toEqual(wanted.out);
      expect(channels).toBe((wanted.out_mode ?? wanted.mode) === "RGBA" ? 4 : 3);
      const texts = wanted.text_chunks ?? { postprocessing: unescaped(wanted.html_info) };
      expect(Object.fromEntries(readPngTexts(file))).toEqual(texts);
    },
  );

  test("several pictures keep their order", async () => {
    const files = [await rampPng(32, 32), await rampPng(16, 24)];
    const imageList = files.map((file, index) => ({ data: file.toString("base64"), name: `${index}.png` }));
    const parsed = parseExtras("extra-batch-images", { imageList, upscaler_1: "Nearest" });
    const answer = answerOf(await parsed.make!(never));
    expect(answer.html_info).toBe(recorded.batch.html_info);
    const sizes = answer.images!.map((image) => sharp(Buffer.from(image, "base64")).metadata());
    expect((await Promise.all(sizes)).map(({ width, height }) => [width, height])).toEqual(recorded.batch.out);
  });

  test("no pictures are no pictures, and their upscaler is not looked up", async () => {
    const parsed = parseExtras("extra-batch-images", { imageList: [], upscaler_1: "nope" });
    expect(answerOf(await parsed.make!(never))).toEqual({ html_info: "<p></p>", images: [] });
  });
});

describe("pixels", () => {
  test("without an upscaler they stay, with alpha too", async () => {
    const picture = await rampPng(20, 12, "RGBA");
    const { file } = await single(picture, {});
    expect((await pixelsOf(file)).equals(await pixelsOf(picture))).toBe(true);
  });

  test("Nearest repeats them", async () => {
    const { file } = await single(await rampPng(16, 8), { upscaler_1: "Nearest", upscaling_resize: 3 });
    const source = rampPixels(16, 8);
    const pixels = await pixelsOf(file);
    for (let y = 0; y < 24; y++) {
      for (let x = 0; x < 48; x++) {
        const from = (Math.floor(y / 3) * 16 + Math.floor(x / 3)) * 3;
        expect([...pixels.subarray((y * 48 + x) * 3, (y * 48 + x) * 3 + 3)]).toEqual([
          ...source.subarray(from, from + 3),
        ]);
      }
    }
  });

  test("the second upscaler is blended in single precision and cut off", async () => {
    const request = { upscaler_1: "Lanczos", upscaler_2: "Nearest" };
    const picture = await rampPng(16, 16);
    const first = await pixelsOf((await single(picture, { upscaler_1: "Lanczos" })).file);
    const second = await pixelsOf((await single(picture, { upscaler_1: "Nearest" })).file);
    for (const visibility of [0.5, 0.3, 1]) {
      const blended = (await single(picture, { ...request, extras_upscaler_2_visibility: visibility })).file;
      const expected = first.map((value, at) =>
        Math.trunc(Math.fround(value + Math.fround(Math.fround(visibility) * (second[at]! - value)))),
      );
      expect(Buffer.from(expected).equals(await pixelsOf(blended)), `visibility ${visibility}`).toBe(true);
    }
  });

  test("what is too much is cut off around the middle, what is missing is black", async () => {
    const size = { resize_mode: 1, upscaling_resize_w: 20, upscaling_resize_h: 8, upscaler_1: "Nearest" };
    const { file } = await single(await rampPng(20, 16, "RGBA"), size);
    // 20x16 becomes 16x16, since sides are whole cells; then 16x8 of it stand in a picture of 20x8.
    const { width, height, channels } = await sharp(file).metadata();
    expect([width, height, channels]).toEqual([20, 8, 3]);
    const row = (await pixelsOf(file)).subarray(0, 20 * 3);
    expect([...row.subarray(0, 6), ...row.subarray(54)]).toEqual(Array(12).fill(0));
    const green = row[4 * 3 + 1]!;
    expect(green).toBeGreaterThan(55);
    expect(green).toBeLessThan(80);
  });

  // Only cut off where they overshoot, as in Pillow.
  test("Lanczos keeps invisible colours out of the visible ones", async () => {
    const pixels = Buffer.alloc(16 * 16 * 4);
    for (let at = 0; at < 256; at++) pixels.set(at % 16 < 8 ? [200, 100, 50, 255] : [0, 255, 0, 0], at * 4);
    const picture = await sharp(pixels, { raw: { width: 16, height: 16, channels: 4 } })
      .png()
      .toBuffer();
    const { file } = await single(picture, { upscaler_1: "Lanczos" });
    const result = await pixelsOf(file);
    for (let at = 0; at < result.length; at += 4) {
      const [, green = 0, , alpha = 0] = result.subarray(at, at + 4);
      if (alpha > 64) expect(green).toBeLessThan(130);
    }
  });
});

describe("texts", () => {
  test("those of the file stay, its infotext in any format becomes a PNG's", async () => {
    const picture = withTexts(await rampPng(8, 8), { workflow: "{}", parameters: "old", extras: "x" });
    const { file } = await single(picture, {});
    expect(Object.fromEntries(readPngTexts(file))).toEqual({
      workflow: "{}",
      extras: "x",
      parameters: "old",
      postprocessing: "",
    });
  });
});

describe("refused", () => {
  const picture = { image: "iVBORw0KGgo=" };
  test.each([
    ["gfpgan_visibility", { gfpgan_visibility: 0.1 }],
    ["codeformer_visibility", { codeformer_visibility: "1" }],
  ])("%s by name", (field, request) => {
    const error = thrownBy(() => parseExtras("extra-single-image", { ...picture, ...request }));
    expect(error).toMatchObject({ code: "unsupported_feature", message: expect.stringContaining(field) });
  });

  test("nothing about faces when they are left alone", async () => {
    const none = { gfpgan_visibility: 0, codeformer_visibility: "0", codeformer_weight: 0.5, upscale_first: true };
    const { answer } = await single(await rampPng(8, 8), none);
    expect(answer.html_info).toBe("<p></p>");
  });

  test.each<[string, Record<string, unknown>, RegExp]>([
    ["a side of too many pixels", { upscaling_resize: 2000 }, /upscaling_resize: .*grow to 32000x32000/],
    ["an infinite factor", { upscaling_resize: "inf" }, /upscaling_resize/],
    ["no pixel", { upscaling_resize: 0.1 }, /no pixel left/],
    [
      "a size of too many",
      { resize_mode: 1, upscaling_resize_w: 16_000, upscaling_resize_h: 16_000 },
      /16000x16000 by Nearest, more than/,
    ],
    [
      "what is cut off counts too",
      { resize_mode: 1, upscaling_resize_w: 16_000, upscaling_resize_h: 8 },
      /16000x16000/,
    ],
    ["a canvas of too many", { resize_mode: 1, upscaling_resize_w: 8.1e4, upscaling_resize_h: 8 }, /81000x/],
    ["a width of too many", { resize_mode: 1, upscaling_resize_w: 1e9 }, /upscaling_resize_w/],
  ])("%s", async (_name, request, message) => {
    const image = (await rampPng(16, 16)).toString("base64");
    const parsed = parseExtras("extra-single-image", { image, upscaler_1: "Nearest", ...request });
    const error = await rejectionOf(parsed.make!(never));
    expect(error.code).toBe("invalid_request");
    expect(error.message).toMatch(message);
  });

  test("more pixels in all results together than in two of the largest", async () => {
    const data = (await rampPng(64, 64)).toString("base64");
    const imageList = Array(3).fill({ data, name: "a" });
    const parsed = parseExtras("extra-batch-images", { imageList, upscaler_1: "Nearest", upscaling_resize: 127 });
    expect((await rejectionOf(parsed.make!(never))).message).toContain("198193152 pixels together");
  });

  test("more pictures than 100", () => {
    const imageList = Array(101).fill({ data: "", name: "" });
    expect(thrownBy(() => parseExtras("extra-batch-images", { imageList })).message).toContain("101 pictures");
  });

  test("a request that nobody waits for any more ends between two pictures", async () => {
    const data = (await rampPng(8, 8)).toString("base64");
    const parsed = parseExtras("extra-batch-images", { imageList: [{ data, name: "a" }] });
    await expect(parsed.make!(AbortSignal.abort(new Error("gone")))).rejects.toThrow("gone");
  });
});

describe("with an upscale model", () => {
  const built = async (request: Record<string, unknown>) => {
    const image = (await rampPng(16, 16)).toString("base64");
    const parsed = parseExtras("extra-single-image", { image, ...request });
    expect(parsed.make).toBeUndefined();
    return parsed.build(inventory);
  };
  const classesOf = (made: Awaited<ReturnType<typeof built>>) =>
    "graph" in made ? Object.values(made.graph).map(({ class_type }) => class_type) : "here";

  test("ComfyUI runs it as often as A1111 does", async () => {
    const loaded = ["LoadImage", "UpscaleModelLoader"];
    const run = "ImageUpscaleWithModel";
    const end = ["ImageScale", "SaveImage"];
    expect(classesOf(await built({ upscaler_1: "tiny-2x" }))).toEqual([...loaded, run, ...end]);
    expect(classesOf(await built({ upscaler_1: "tiny-2x", upscaling_resize: 8 }))).toEqual([
      ...loaded,
      run,
      run,
      run,
      ...end,
    ]);
  });

  test("what needs no run of it is made here", async () => {
    expect(classesOf(await built({ upscaler_1: "tiny-2x", upscaling_resize: 0.5 }))).toBe("here");
    expect(classesOf(await built({ upscaler_1: "Lanczos", upscaler_2: "tiny-2x" }))).toBe("here");
  });

  test("an unknown one is refused in A1111's words, with all there are", async () => {
    for (const request of [{ upscaler_1: "nope" }, { upscaler_1: "Lanczos", upscaler_2: "nope" }]) {
      const error = await rejectionOf(built(request));
      expect(error.code).toBe("unknown_model");
      expect(error.message).toMatch(/could not find upscaler named nope; there are: None, Lanczos, Nearest, .*tiny-2x/);
    }
  });

  test("its own size counts too", async () => {
    const image = (await rampPng(4000, 8)).toString("base64");
    const parsed = parseExtras("extra-single-image", { image, upscaler_1: "tiny-2x", upscaling_resize: 4.05 });
    expect((await rejectionOf(parsed.build(inventory))).message).toContain("grow to 32000x64 by tiny-2x");
    // Three runs make 16000 of it, and Lanczos the rest.
    const long = (await rampPng(2000, 8)).toString("base64");
    const rest = parseExtras("extra-single-image", { image: long, upscaler_1: "tiny-2x", upscaling_resize: 9 });
    expect((await rejectionOf(rest.build(inventory))).message).toContain("grow to 18000x72 by tiny-2x");
  });
});
