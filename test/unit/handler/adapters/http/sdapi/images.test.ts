import { deflateSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { BodyReader } from "../../../../../../handler/adapters/http/body.ts";
import { respondWithSdapiError } from "../../../../../../handler/adapters/http/sdapi/errors.ts";
import { sdapiImages } from "../../../../../../handler/adapters/http/sdapi/images.ts";
import { parseInfotext } from "../../../../../../handler/infotext/parse.ts";
import { exifWithComment, jpegWithExif, webpWithExif } from "../../../../../../handler/outputs/exif.ts";
import { Styles } from "../../../../../../handler/styles/styles.ts";
import recorded from "../../../../../fixtures/sdapi/png-info.json" with { type: "json" };
import { chunkOf, gifWithComment, plainJpeg, plainPng, plainWebp } from "../../../../../support/picture-files.ts";

const routes = sdapiImages({ styles: new Styles() }, new BodyReader(10));
routes.onError((error, context) => respondWithSdapiError(context, error));

const post = async (body: unknown) => {
  const response = await routes.request("/png-info", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
};

const [png, jpeg, webp] = await Promise.all([plainPng(), plainJpeg(), plainWebp()]);
const STEPS = "Negative prompt: bad\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512";
const INFOTEXT = `a cat\n${STEPS}`;

const withTexts = (texts: Record<string, string>) =>
  withChunks(...Object.entries(texts).map(([k, v]) => chunkOf("tEXt", `${k}\0${v}`)));
const withChunks = (...chunks: Buffer[]) => Buffer.concat([png.subarray(0, 33), ...chunks, png.subarray(33)]);

/** EXIF whose comment has another prefix than ours. */
function exifOf(prefix: string): Buffer {
  const comment = Buffer.from(`${prefix}${INFOTEXT}`, "latin1");
  const head = exifWithComment("").subarray(0, 44);
  head.writeUInt32BE(comment.length, 32);
  return Buffer.concat([head, comment]);
}

const novelAi = (name: string) =>
  recorded.png_info.find((it) => it.name === name)!.items as unknown as Record<string, string>;

/** The files of the recording, made again: it has the chunks, not the bytes. */
const FILES: Record<string, Buffer> = {
  none: png,
  parameters: withTexts({ parameters: INFOTEXT }),
  iTXt: withChunks(chunkOf("iTXt", Buffer.from(`parameters\0\0\0\0\0日本\n${INFOTEXT}`))),
  zTXt: withChunks(chunkOf("zTXt", Buffer.concat([Buffer.from("parameters\0\0"), deflateSync(INFOTEXT)]))),
  "other chunks": withTexts({ Software: "x", Comment: "hello", prompt: '{"3":{}}', workflow: "{}", Title: "t" }),
  "parameters and extras": withTexts({
    parameters: INFOTEXT,
    postprocessing: "Postprocess upscale by: 2",
    extras: "y",
  }),
  "dpi and gamma": withChunks(chunkOf("pHYs", Buffer.from([0, 0, 11, 19, 0, 0, 11, 19, 1]))),
  NovelAI: withTexts(novelAi("NovelAI")),
  "NovelAI unknown sampler": withTexts(novelAi("NovelAI unknown sampler")),
  "NovelAI broken comment": withTexts(novelAi("NovelAI broken comment")),
  "JPEG UserComment unicode": jpegWithExif(jpeg, exifWithComment(INFOTEXT)),
  "JPEG UserComment ascii": jpegWithExif(jpeg, exifOf("ASCII\0\0\0")),
  "JPEG UserComment without prefix": jpegWithExif(jpeg, exifOf("")),
  "WebP UserComment": webpWithExif(webp, exifWithComment(`日本 ${INFOTEXT}`)),
  "JPEG plain": jpeg,
  "GIF comment": gifWithComment(INFOTEXT),
};

describe("all that A1111 found", () => {
  test("every recorded file is made again", () => {
    expect(Object.keys(FILES)).toEqual(recorded.png_info.map(({ name }) => name));
  });

  test.each(recorded.png_info)("$name", async ({ name, info, items, parameters_nondefault }) => {
    const { status, body } = await post({ image: FILES[name]!.toString("base64") });
    expect(status).toBe(200);
    expect(body).toEqual({ info, items, parameters: parseInfotext(info) });
    expect(body["parameters"]).toMatchObject(parameters_nondefault);
  });
});

interface Answered {
  body: { image?: unknown };
  status: number;
  response: Record<string, unknown>;
}

describe("all that A1111 said of odd bodies", () => {
  const truncated = png.subarray(0, -40);
  const dataUri = (type: string, bytes: Buffer) => `data:image/${type};base64,${bytes.toString("base64")}`;
  const images: Record<string, string> = {
    "@png64": png.toString("base64"),
    "@dataurl_png64": dataUri("png", png),
    "@truncated": truncated.toString("base64"),
    "@jpg64": jpeg.toString("base64"),
  };

  test.each(recorded.errors as unknown as Answered[])("$body", async ({ body, status, response }) => {
    const image = typeof body.image === "string" ? (images[body.image] ?? body.image) : body.image;
    const answer = await post({ ...body, ...(image !== undefined && { image }) });
    // What cannot be decoded is the caller's fault, not the server's.
    const refusal = { status: 400, body: { ...response, body: { field: "image" }, errors: expect.any(String) } };
    expect(answer).toEqual(status === 500 ? refusal : { status, body: response });
  });
});

test.each(["https://example.invalid/a.png", " HTTP://127.0.0.1/"])("F24: %s is not fetched", async (image) => {
  expect(await post({ image })).toMatchObject({
    status: 422,
    body: { error: "unsupported_feature", detail: expect.stringMatching(/^image: /) },
  });
});

test.each<[string, Buffer]>([
  ["PNG", withTexts({ parameters: INFOTEXT })],
  ["JPEG", FILES["JPEG UserComment unicode"]!],
  ["WebP", FILES["WebP UserComment"]!],
  ["GIF", FILES["GIF comment"]!],
])("a %s cut off at any byte is answered with 200 or 400", async (_name, file) => {
  for (let end = 0; end < file.length; end += 7) {
    const { status } = await post({ image: file.subarray(0, end).toString("base64") });
    expect([200, 400]).toContain(status);
  }
});
