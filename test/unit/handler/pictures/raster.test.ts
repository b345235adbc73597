import sharp from "sharp";
import { expect, test } from "vitest";
import {
  cropRaster,
  decodeRaster,
  encodePng,
  pasteRaster,
  type Raster,
  toGrey,
} from "../../../../handler/pictures/raster.ts";
import { boxMask, pixelAt, ramp } from "../../../support/rasters.ts";

test("RGB goes through a PNG unchanged", async () => {
  const source = ramp(30, 20);
  const png = await encodePng(source);
  expect(await sharp(png).metadata()).toMatchObject({ format: "png", channels: 3, width: 30, height: 20 });
  const { data, ...rest } = await decodeRaster(png);
  expect([rest, Uint8Array.from(data)]).toEqual([{ width: 30, height: 20, channels: 3 }, source.data]);
});

test("grey becomes a grey PNG, and is RGB when it comes back", async () => {
  const png = await encodePng(boxMask([8, 8], [[0, 0, 8, 8]], 77));
  expect(await sharp(png).metadata()).toMatchObject({ space: "b-w", channels: 1 });
  expect(pixelAt(await decodeRaster(png), 5, 5)).toEqual([77, 77, 77]);
});

test("alpha that the engine wrote is dropped", async () => {
  const rgba: Raster = { width: 1, height: 1, channels: 4, data: Uint8Array.of(1, 2, 3, 4) };
  const png = await encodePng(rgba);
  expect(await sharp(png).metadata()).toMatchObject({ channels: 4 });
  expect(pixelAt(await decodeRaster(png), 0, 0)).toEqual([1, 2, 3]);
});

test("grey is the weighted brightness, in Pillow's rounding", () => {
  expect([...toGrey({ width: 2, height: 1, channels: 3, data: Uint8Array.of(200, 0, 0, 1, 2, 250) }).data]).toEqual([
    60, 30,
  ]);
});

test("a crop that leaves the picture is black there", () => {
  const source: Raster = { width: 2, height: 1, channels: 1, data: Uint8Array.of(7, 9) };
  expect([...cropRaster(source, -1, -1, { width: 4, height: 3 }).data]).toEqual([0, 0, 0, 0, 0, 7, 9, 0, 0, 0, 0, 0]);
});

test("what is pasted beyond the edges is left out", () => {
  const into = boxMask([3, 2], []);
  const source: Raster = { width: 2, height: 2, channels: 1, data: Uint8Array.of(1, 2, 3, 4) };
  pasteRaster(into, source, 2, -1);
  pasteRaster(into, source, 3, 0);
  pasteRaster(into, source, -1, 1);
  expect([...into.data]).toEqual([0, 0, 3, 2, 0, 0]);
});
