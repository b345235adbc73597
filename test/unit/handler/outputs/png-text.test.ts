import { deflateSync } from "node:zlib";
import fc from "fast-check";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { pngChunks, readPngTexts, withPngTexts } from "../../../../handler/outputs/png-text.ts";
import recorded from "../../../fixtures/sdapi/png-info.json" with { type: "json" };
import { chunkOf, plainPng } from "../../../support/picture-files.ts";

const png = await plainPng();
const NOTHING = new Set<string>();
const typesOf = (file: Buffer) => [...pngChunks(file)].map(({ type }) => type);
const withChunks = (...chunks: Buffer[]) => Buffer.concat([png.subarray(0, 33), ...chunks, png.subarray(33)]);
const commentsOf = async (file: Buffer) =>
  (await sharp(file).metadata()).comments?.map(({ keyword, text }) => [keyword, text]);

describe("written", () => {
  test.each([
    ["a café, \0 and all", "tEXt", "png, Latin-1 prompt"],
    ["日本, a cat 😀", "iTXt", "png"],
  ])("%j stands in %s before the picture data, as A1111 has it", async (text, type, name) => {
    const file = withPngTexts(png, { parameters: text }, NOTHING);
    const like = recorded.embedding.find(({ samples_format }) => samples_format === name);
    expect(typesOf(file).filter((it) => it !== "pHYs")).toEqual(like?.chunk_types);
    expect(typesOf(file)).toContain(type);
    expect(readPngTexts(file)).toEqual(new Map([["parameters", text]]));
  });

  test("sharp reads what was written, and the same pixels", async () => {
    const texts = { parameters: "a cat\nSteps: 2", other: "日本" };
    const file = withPngTexts(png, texts, NOTHING);
    expect(await commentsOf(file)).toEqual(Object.entries(texts));
    expect(await sharp(file, { failOn: "warning" }).raw().toBuffer()).toEqual(await sharp(png).raw().toBuffer());
  });

  test("texts of some keywords are removed, wherever they stand; all else stays byte for byte", () => {
    const late = chunkOf("tEXt", "workflow\0{}");
    const file = Buffer.concat([
      withChunks(
        chunkOf("tEXt", "prompt\0{}"),
        chunkOf("iTXt", "workflow\0\0\0\0\0{}"),
        chunkOf("tEXt", "engine\0e"),
      ).subarray(0, -12),
      late,
      png.subarray(-12),
    ]);
    const cleaned = withPngTexts(file, {}, new Set(["prompt", "workflow"]));
    expect(cleaned).toEqual(withChunks(chunkOf("tEXt", "engine\0e")));
  });

  test("any text survives", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const given = text.toWellFormed();
        expect(readPngTexts(withPngTexts(png, { parameters: given }, NOTHING)).get("parameters")).toBe(given);
      }),
    );
  });
});

describe("read", () => {
  test("all three kinds, the last of a keyword", () => {
    const file = withChunks(
      chunkOf("tEXt", "a\0first"),
      chunkOf("tEXt", "a\0caf\xe9"),
      chunkOf("zTXt", Buffer.concat([Buffer.from("b\0\0"), deflateSync("small")])),
      chunkOf("iTXt", Buffer.concat([Buffer.from("c\0\x01\0de\0C\0"), deflateSync("日本")])),
    );
    expect([...readPngTexts(file)]).toEqual([
      ["a", "café"],
      ["b", "small"],
      ["c", "日本"],
    ]);
  });

  test.each<[string, Buffer]>([
    ["no NUL", chunkOf("tEXt", "keyword")],
    ["an iTXt that ends early", chunkOf("iTXt", "a\0\0")],
    ["a compressed text that is damaged", chunkOf("zTXt", "a\0\0not deflated")],
    [
      "a compressed text that grows beyond the limit",
      chunkOf("zTXt", Buffer.concat([Buffer.from("a\0\0"), deflateSync(Buffer.alloc(2 ** 20 + 1))])),
    ],
  ])("%s is left out, and the next is read", (_name, damaged) => {
    expect([...readPngTexts(withChunks(damaged, chunkOf("tEXt", "b\0text")))]).toEqual([["b", "text"]]);
  });
});

describe("damaged files", () => {
  const texts = { parameters: "a cat" };

  test.each<[string, Buffer]>([
    ["nothing", Buffer.alloc(0)],
    ["no PNG", Buffer.from("pixels")],
    ["only a signature", png.subarray(0, 8)],
    ["no picture data", png.subarray(0, 33)],
  ])("%s: stays as it is", (_name, file) => {
    expect(withPngTexts(file, texts, NOTHING)).toBe(file);
    expect(readPngTexts(file).size).toBe(0);
  });

  test("a file cut off at any byte is read and written without an error", () => {
    const file = withPngTexts(png, { parameters: "日本", prompt: "{}" }, NOTHING);
    for (let end = 0; end < file.length; end++) {
      const cut = file.subarray(0, end);
      readPngTexts(cut);
      withPngTexts(cut, texts, new Set(["prompt"]));
    }
  });

  test("so are any bytes after the signature", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const file = Buffer.concat([png.subarray(0, 8), bytes]);
        readPngTexts(file);
        withPngTexts(file, texts, NOTHING);
      }),
    );
  });
});
