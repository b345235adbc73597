import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { encodeFile, encodeText } from "../../../../handler/outputs/encode.ts";
import type { Conversion } from "../../../../handler/request/delivery.ts";
import { rejectionOf } from "../../../support/thrown.ts";

const JPEG: Conversion = { format: "jpeg", options: {} };
const WEBP: Conversion = { format: "webp", options: {} };

const picture = (channels: 3 | 4, background: { r: number; g: number; b: number; alpha?: number }) =>
  sharp({ create: { width: 8, height: 8, channels, background } });
const red = await picture(3, { r: 250, g: 10, b: 10 }).png().toBuffer();
const transparent = await picture(4, { r: 250, g: 10, b: 10, alpha: 0 }).png().toBuffer();
const frames = Buffer.concat([255, 0].map((level) => Buffer.alloc(8 * 8 * 3, level)));
const moving = sharp(frames, { raw: { width: 8, height: 16, channels: 3, pageHeight: 8 } });

/** `red` with an animation chunk before its picture data, as Pillow's save_all writes it; the checksum is not looked at. */
const animatedPng = Buffer.concat([
  red.subarray(0, 33),
  Buffer.from([0, 0, 0, 8]),
  Buffer.from("acTL"),
  Buffer.from([0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0]),
  red.subarray(33),
]);

const encode = (name: string, bytes: Buffer, convert?: Conversion) =>
  encodeFile({ nodeId: "9", name, reference: { filename: name, subfolder: "", type: "output" } }, bytes, convert);

describe("type and content type follow the name", () => {
  test.each([
    ["a.png", "image", "image/png"],
    ["a.webp", "image", "image/webp"],
    ["a.gif", "image", "image/gif"],
    ["A.JPG", "image", "image/jpeg"],
    ["a.svg", "image", "image/svg+xml"],
    ["a.mp4", "video", "video/mp4"],
    ["a.webm", "video", "video/webm"],
    ["a.mkv", "video", "video/x-matroska"],
    ["a.mp3", "audio", "audio/mpeg"],
    ["a.flac", "audio", "audio/x-flac"],
    ["a.md", "text", "text/markdown"],
    ["a.csv", "text", "text/csv"],
    ["a.json", "file", "application/json"],
    ["a.glb", "file", "model/gltf-binary"],
    ["a.latent", "latent", "application/octet-stream"],
    ["a", "file", "application/octet-stream"],
    ["sub/folder.x/a.png", "image", "image/png"],
  ])("%s is %s, %s", async (name, type, contentType) => {
    const bytes = Buffer.from("bytes");
    expect(await encode(name, bytes)).toEqual({ nodeId: "9", name, type, contentType, bytes });
  });
});

test("a text is UTF-8", () => {
  expect(encodeText({ nodeId: "9", name: "9-text.txt", text: "füß" })).toEqual({
    nodeId: "9",
    name: "9-text.txt",
    type: "text",
    contentType: "text/plain; charset=utf-8",
    bytes: Buffer.from("füß", "utf8"),
  });
});

describe("a still picture is converted", () => {
  test.each<[string, Conversion, string, string, string]>([
    ["a.png", JPEG, "a.jpeg", "image/jpeg", "jpeg"],
    ["a.png", { ...JPEG, format: "jpg" }, "a.jpg", "image/jpeg", "jpeg"],
    ["sub.x/a.b.png", WEBP, "sub.x/a.b.webp", "image/webp", "webp"],
  ])("%s to %j is %s", async (name, convert, converted, contentType, format) => {
    const output = await encode(name, red, convert);
    expect(output).toMatchObject({ name: converted, type: "image", contentType });
    const { format: real, width, height } = await sharp(output.bytes).metadata();
    expect([real, width, height]).toEqual([format, 8, 8]);
    const [channel] = (await sharp(output.bytes).stats()).channels;
    expect(channel!.mean).toBeCloseTo(250, -1);
  });

  test("with the options that were asked for", async () => {
    const noise = await sharp(Buffer.from(Array.from({ length: 64 * 64 * 3 }, (_, index) => (index * 7919) % 256)), {
      raw: { width: 64, height: 64, channels: 3 },
    })
      .png()
      .toBuffer();
    const sizeAt = async (quality: number) =>
      (await encode("a.png", noise, { format: "jpeg", options: { quality } })).bytes.length;
    expect(await sizeAt(10)).toBeLessThan((await sizeAt(90)) / 2);
    const { isProgressive } = await sharp(
      (await encode("a.png", noise, { format: "jpeg", options: { progressive: true } })).bytes,
    ).metadata();
    expect(isProgressive).toBe(true);
  });

  test("alpha survives in WebP, and becomes black in JPEG, as with comfyui-api", async () => {
    const webp = await sharp((await encode("a.png", transparent, WEBP)).bytes).metadata();
    expect(webp.hasAlpha).toBe(true);
    const jpeg = await encode("a.png", transparent, JPEG);
    const { channels } = await sharp(jpeg.bytes).stats();
    expect(channels.map(({ mean }) => Math.round(mean))).toEqual([0, 0, 0]);
  });
});

describe("everything else passes byte for byte", () => {
  test.each<[string, string, () => Promise<Buffer>]>([
    ["a moving GIF", "a.gif", () => moving.clone().gif().toBuffer()],
    ["a moving WebP", "a.webp", () => moving.clone().webp().toBuffer()],
    ["a moving PNG", "a.png", async () => animatedPng],
    ["a video", "a.mp4", async () => Buffer.from("no picture")],
    ["sound", "a.flac", async () => Buffer.from("no picture")],
    ["a text", "a.txt", async () => Buffer.from("no picture")],
    ["a latent", "a.latent", async () => Buffer.from("no picture")],
  ])("%s", async (_kind, name, make) => {
    const bytes = await make();
    expect(await encode(name, bytes, JPEG)).toMatchObject({ name, bytes });
  });
});

test.each(["garbage", ""])("a picture that cannot be read is told by name: %j", async (content) => {
  const error = await rejectionOf(encode("a.png", Buffer.from(content), JPEG));
  expect(error).toMatchObject({
    code: "internal",
    message: 'the output "a.png" could not be converted to jpeg',
    cause: expect.any(Error),
  });
});

test("a PNG that is cut short is not taken for a moving one", async () => {
  for (const length of [8, 12, 33, 40]) {
    const error = await rejectionOf(encode("a.png", red.subarray(0, length), JPEG));
    expect(error.code).toBe("internal");
  }
});
