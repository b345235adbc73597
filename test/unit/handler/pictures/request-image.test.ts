import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { flatten, type Raster } from "../../../../handler/pictures/raster.ts";
import { readRequestImage, readRequestImages } from "../../../../handler/pictures/request-image.ts";
import golden from "../../../fixtures/sdapi/geometry.json" with { type: "json" };
import { chunkOf, plainJpeg, plainPng, plainWebp } from "../../../support/picture-files.ts";
import { rejectionOf } from "../../../support/thrown.ts";

const field = "init_images[0]";
const read = (file: Buffer) => readRequestImage({ field, text: file.toString("base64") });
const refusal = (text: string) => rejectionOf(readRequestImage({ field, text }));
const pixelOf = ({ data, channels }: Raster) => [...data.subarray(0, channels)];

const png = await plainPng();
const text = png.toString("base64");
const photo = sharp(Buffer.from(Array.from({ length: 64 * 48 * 3 }, (_, index) => (index * 7919) % 251)), {
  raw: { width: 64, height: 48, channels: 3 },
});

const cutOff = async (format: "png" | "jpeg" | "webp") => {
  const file = await photo.clone().toFormat(format).toBuffer();
  return file.subarray(0, file.length * 0.7).toString("base64");
};

/** A PNG of one pixel, its colour type by its channels; further chunks come before the pixels. */
async function pngOf(channels: 1 | 2 | 3 | 4, pixel: number[], ...extra: Buffer[]): Promise<Buffer> {
  const picture = sharp(Buffer.from(pixel), { raw: { width: 1, height: 1, channels } });
  if (channels < 3) picture.toColourspace("b-w");
  const file = await picture.png().toBuffer();
  return Buffer.concat([file.subarray(0, 33), ...extra, file.subarray(33)]);
}

const formats: [string, Buffer][] = [
  ["JPEG", await plainJpeg()],
  ["WebP", await plainWebp()],
  ["GIF", await sharp(png).gif().toBuffer()],
  ["TIFF", await sharp(png).tiff().toBuffer()],
  ["AVIF", await sharp(png).avif().toBuffer()],
  ["16-bit PNG", await sharp(png).toColourspace("rgb16").png().toBuffer()],
];
const invalid = [
  ["nothing", ""],
  ["a word", "garbage"],
  ["text in base64", Buffer.from("hello world").toString("base64")],
  ["a data URI with nothing in it", "data:image/png;base64,"],
  ["a data URI that is not base64", "data:image/png,abcd"],
  ["an address of another kind", "ftp://x/y.png"],
  ["SVG", Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"/>').toString("base64")],
  ["a PNG's header alone", png.subarray(0, 33).toString("base64")],
  ["a PNG that is cut off", await cutOff("png")],
  ["a JPEG that is cut off", await cutOff("jpeg")],
  ["a WebP that is cut off", await cutOff("webp")],
];
const unsupported: [string, string, RegExp][] = [
  ["an address", "https://example.org/a.png", /not fetched from addresses/],
  ["BMP", Buffer.from("BM and more").toString("base64"), /BMP files are not read, PNG, .* are/],
  [
    "CMYK",
    (await photo.clone().toColourspace("cmyk").jpeg().toBuffer()).toString("base64"),
    /CMYK pictures are not read/,
  ],
];

describe("a picture is read from", () => {
  test.each([
    ["bare base64", text],
    ["base64 in spaces", ` ${text}\n`],
    ["base64 in lines", text.replace(/.{20}/g, "$&\r\n")],
    ["a data URI", `data:image/png;base64,${text}`],
    ["a data URI of the wrong type", `data:image/jpeg;base64,${text}`],
  ])("%s", async (_name, sent) => {
    const { width, height, channels, data } = await readRequestImage({ field, text: sent });
    expect([width, height, channels, data.length]).toEqual([16, 16, 3, 768]);
    expect(new Set(data)).toEqual(new Set([90]));
  });

  test.each(formats)("%s", async (_name, file) => {
    const { width, height, channels, data } = await read(file);
    expect([width, height, channels]).toEqual([16, 16, 3]);
    for (const value of data) expect(Math.abs(value - 90)).toBeLessThanOrEqual(1);
  });
});

test("a picture is turned upright by its EXIF orientation", async () => {
  const turned = await photo.clone().withMetadata({ orientation: 6 }).png().toBuffer();
  const { width, height, data } = await read(turned);
  expect([width, height]).toEqual([48, 64]);
  expect(Buffer.from(data)).toEqual(await photo.clone().rotate(90).raw().toBuffer());
});

test("a colour profile changes no pixel", async () => {
  const profiled = await photo.clone().withIccProfile("p3", { attach: true }).png().toBuffer();
  const stored = await sharp(profiled, { ignoreIcc: true }).raw().toBuffer();
  expect(Buffer.from((await read(profiled)).data)).toEqual(stored);
});

const palette = (transparency: number[]) =>
  Buffer.concat([
    Buffer.from("\x89PNG\r\n\x1a\n", "latin1"),
    chunkOf("IHDR", Buffer.from([0, 0, 0, 1, 0, 0, 0, 1, 8, 3, 0, 0, 0])),
    chunkOf("PLTE", Buffer.from([1, 2, 3, 4, 5, 6])),
    chunkOf("tRNS", Buffer.from(transparency)),
    chunkOf("IDAT", Buffer.from("789c636000000002000148afa471", "hex")),
    chunkOf("IEND", ""),
  ]);

test.each([
  ["RGBA", await pngOf(4, [1, 2, 3, 4]), [1, 2, 3, 4]],
  ["a palette with translucent entries", palette([9, 9]), [1, 2, 3, 9]],
  ["a palette with one invisible entry", palette([0, 255]), [1, 2, 3]],
  ["grey and alpha", await pngOf(2, [50, 128]), [50, 50, 50]],
  [
    "RGB with a transparent colour",
    await pngOf(3, [1, 2, 3], chunkOf("tRNS", Buffer.from([0, 1, 0, 2, 0, 3]))),
    [1, 2, 3],
  ],
  ["grey with a transparent shade", await pngOf(1, [7], chunkOf("tRNS", Buffer.from([0, 7]))), [7, 7, 7]],
])("alpha is what Pillow makes of it: %s", async (_name, file, expected) => {
  expect(pixelOf(await read(file))).toEqual(expected);
});

describe("a picture is flattened on white", () => {
  const channelsOf = { RGBA: 4, LA: 2, L: 1, RGB: 3, P: 1 } as const;
  test.each(golden.flatten)("%s %j -> %s %j", async (mode, pixel, _outMode, expected) => {
    const file = await pngOf(channelsOf[mode as keyof typeof channelsOf], [pixel].flat() as number[]);
    expect(pixelOf(flatten(await read(file)))).toEqual(expected);
  });
});

describe("refused is", () => {
  test.each(invalid)("%s, in A1111's words", async (_name, sent) => {
    const { code, message, details } = await refusal(sent);
    expect([code, details]).toEqual(["invalid_request", { field }]);
    expect(message).toMatch(/^Invalid encoded image: init_images\[0\]: it(s| is) /);
  });

  test.each(unsupported)("%s, by name", async (_name, sent, expected) => {
    const { code, message, details } = await refusal(sent);
    expect([code, details]).toEqual(["unsupported_feature", { field }]);
    expect(message).toMatch(expected);
  });

  test("a small file that claims a large picture, before its pixels are read", async () => {
    const claim = (width: number, height: number) => {
      const header = Buffer.from(png.subarray(16, 29));
      header.writeUInt32BE(width, 0);
      header.writeUInt32BE(height, 4);
      const file = Buffer.concat([png.subarray(0, 8), chunkOf("IHDR", header), png.subarray(33)]);
      return file.toString("base64");
    };
    for (const [width, height] of [
      [16385, 1],
      [16384, 16384],
    ] as const) {
      const error = await refusal(claim(width, height));
      expect([error.code, error.details]).toEqual(["invalid_request", { field, width, height }]);
      expect(error.message).toContain(`${width}x${height} is too large; at most 16384 pixels per side`);
    }
  });

  test("pictures that are too large together", async () => {
    const large = await sharp({ create: { width: 8192, height: 4097, channels: 3, background: "red" } })
      .png()
      .toBuffer();
    const images = ["init_images[0]", "mask"].map((name) => ({ field: name, text: large.toString("base64") }));
    const error = await rejectionOf(readRequestImages(images));
    expect([error.code, error.details]).toEqual(["invalid_request", { field: "mask", width: 8192, height: 4097 }]);
  });
});
