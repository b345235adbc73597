import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { embedInfotext } from "../../../../handler/outputs/embed-infotext.ts";
import { encodeFile } from "../../../../handler/outputs/encode.ts";
import { exifOfJpeg, exifOfWebp, exifWithComment, readComment } from "../../../../handler/outputs/exif.ts";
import { readInfotext } from "../../../../handler/outputs/read-infotext.ts";
import type { Conversion } from "../../../../handler/request/delivery.ts";
import recorded from "../../../fixtures/sdapi/png-info.json" with { type: "json" };
import { chunkOf, plainPng } from "../../../support/picture-files.ts";

const INFOTEXT = "日本 a cat\nSteps: 2, Sampler: Euler, Seed: 3";
const base = await plainPng();
const png = Buffer.concat([
  base.subarray(0, 33),
  chunkOf("tEXt", 'prompt\0{"1":{}}'),
  chunkOf("tEXt", "workflow\0{}"),
  chunkOf("tEXt", "engine\0no model"),
  base.subarray(33),
]);
const translucent = await sharp({
  create: { width: 31, height: 17, channels: 4, background: { r: 9, g: 8, b: 7, alpha: 0.5 } },
})
  .png()
  .toBuffer();

const file = { nodeId: "9", name: "a.png", reference: { filename: "a.png", subfolder: "", type: "output" as const } };
const pictures: [string, Conversion | undefined, Buffer][] = [
  ["png", undefined, png],
  ["jpg", { format: "jpg", options: { quality: 80 } }, png],
  ["webp", { format: "webp", options: { quality: 80 } }, png],
  ["webp with alpha", { format: "webp", options: { quality: 80 } }, translucent],
  ["webp without loss", { format: "webp", options: { lossless: true } }, png],
  ["webp without loss, with alpha", { format: "webp", options: { lossless: true } }, translucent],
];

describe.each(pictures)("%s", (_name, convert, bytes) => {
  test("carries the infotext, and the same pixels", async () => {
    const before = await encodeFile(file, bytes, convert);
    const after = embedInfotext(before, INFOTEXT);
    expect(readInfotext(after.bytes)?.infotext).toBe(INFOTEXT);
    const pixels = (it: Buffer) => sharp(it, { failOn: "warning" }).raw().toBuffer({ resolveWithObject: true });
    expect(await pixels(after.bytes)).toEqual(await pixels(before.bytes));
    const { width, height, hasAlpha, format } = await sharp(after.bytes).metadata();
    const { width: w, height: h, hasAlpha: a, format: f } = await sharp(before.bytes).metadata();
    expect([width, height, hasAlpha, format]).toEqual([w, h, a, f]);
  });

  test("carries none when none is wanted", async () => {
    const { bytes: plain } = embedInfotext(await encodeFile(file, bytes, convert), undefined);
    expect(readInfotext(plain)?.infotext).toBe("");
  });
});

test("the graph is not in the picture, what the emulator says of it is", () => {
  const { bytes } = embedInfotext(
    { nodeId: "9", name: "a.png", type: "image", contentType: "image/png", bytes: png },
    INFOTEXT,
  );
  expect(readInfotext(bytes)).toEqual({ infotext: INFOTEXT, items: { engine: "no model" } });
});

test.each(["jpg", "webp"] as const)("EXIF in %s is what A1111 writes, and libvips finds it", async (format) => {
  const { bytes } = embedInfotext(await encodeFile(file, png, { format, options: { quality: 80 } }), INFOTEXT);
  const exif = format === "jpg" ? exifOfJpeg(bytes) : exifOfWebp(bytes);
  const expected = recorded.embedding.find(({ samples_format }) => samples_format === format)?.user_comment_head_hex;
  expect(exif?.toString("hex")).toContain(expected!.slice(0, 32));
  expect((await sharp(bytes).metadata()).exif?.includes(exif!)).toBe(true);
});

test("a JPEG has no room for more than 64 KB, up to the last byte", async () => {
  const artifact = await encodeFile(file, png, { format: "jpg", options: {} });
  const fits = Math.floor((0xffff - 2 - 6 - 44 - 8) / 2);
  expect(readInfotext(embedInfotext(artifact, "x".repeat(fits)).bytes)?.infotext).toHaveLength(fits);
  expect(embedInfotext(artifact, "x".repeat(fits + 1)).bytes).toEqual(artifact.bytes);
});

test("other outputs pass as they are", () => {
  const text = {
    nodeId: "9",
    name: "a.txt",
    type: "text",
    contentType: "text/plain",
    bytes: Buffer.from("x"),
  } as const;
  expect(embedInfotext(text, INFOTEXT)).toEqual(text);
});

test("damaged EXIF is no comment", () => {
  const exif = exifWithComment("a cat");
  for (let end = 0; end < 44; end++) expect(readComment(exif.subarray(0, end)) ?? "").toBe("");
  const elsewhere = Buffer.from(exif);
  elsewhere.writeUInt32BE(0xffff_ffff, 4);
  expect(readComment(elsewhere)).toBeUndefined();
});
