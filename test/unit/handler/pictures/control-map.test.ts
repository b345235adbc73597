/** Maps come to the size of a picture as in sd-webui-controlnet, whose own code made the fixture with OpenCV 5.0. */
import { expect, test } from "vitest";
import { downsample, fitMap, invert, onWhite, resizeToResolution } from "../../../../handler/pictures/control-map.ts";
import type { Raster } from "../../../../handler/pictures/raster.ts";
import type { ResizeMode } from "../../../../workflows/control-placement.ts";
import recorded from "../../../fixtures/sdapi/control-maps.json" with { type: "json" };

interface RecordedMap {
  width: number;
  height: number;
  data: string;
}

const bytes = (base64: string) => new Uint8Array(Buffer.from(base64, "base64"));
const rasterOf = ({ width, height, data }: RecordedMap): Raster => ({ width, height, channels: 3, data: bytes(data) });
const { maps, cases } = recorded as unknown as {
  maps: Record<string, RecordedMap>;
  cases: { map: string; mode: ResizeMode; canvas: [number, number]; expected: string }[];
};

/** OpenCV adds up in other roundings, which only photos show. */
const TOLERANCE: Readonly<Record<string, number>> = { photo: 1, lines: 0, blobs: 0, labels: 0 };

test.each(cases)("$map to $canvas, $mode", ({ map, mode, canvas: [width, height], expected }) => {
  const fitted = fitMap(rasterOf(maps[map]!), mode, { width, height });
  const wanted = bytes(expected);
  expect([fitted.width, fitted.height, fitted.data.length]).toEqual([width, height, wanted.length]);
  const off = fitted.data.map((value, index) => Math.abs(value - wanted[index]!));
  expect(Math.max(...off)).toBeLessThanOrEqual(TOLERANCE[map.split(" ")[0]!]!);
});

const twoPixels: Raster = { width: 2, height: 1, channels: 4, data: new Uint8Array([200, 100, 0, 255, 0, 0, 0, 0]) };

test("what is transparent is white, and inverting makes it black", () => {
  expect([...onWhite(twoPixels).data]).toEqual([200, 100, 0, 255, 255, 255]);
  expect([...invert(onWhite(twoPixels)).data]).toEqual([55, 155, 255, 0, 0, 0]);
});

test("a resolution is that of the shorter side; a sampling rate divides both", () => {
  const picture = rasterOf(maps["photo 33x24"]!);
  const sizes = [resizeToResolution(picture, 48), downsample(picture, 2), downsample(picture, 1)];
  expect(sizes.map(({ width, height }) => [width, height])).toEqual([
    [66, 48],
    [16, 12],
    [33, 24],
  ]);
});
