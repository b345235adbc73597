import { describe, expect, test } from "vitest";
import { layoutOf, resizePicture } from "../../../../handler/pictures/resize.ts";
import golden from "../../../fixtures/sdapi/geometry.json" with { type: "json" };
import { pixelAt, ramp } from "../../../support/rasters.ts";
import { thrownBy } from "../../../support/thrown.ts";

const sizeOf = ([width, height]: number[]) => ({ width: width!, height: height! });
type Case = { mode: number; src: number[]; dst: number[]; ops: unknown[]; probes?: unknown[] };
const recorded: Case[] = [...golden.resize, ...golden.resize_ops];
const nameOf = ({ mode, src, dst }: Case) => [mode, src.join("x"), dst.join("x")] as const;

describe("a picture is laid out as A1111 does it: mode, from, to", () => {
  test.each(recorded.map((it) => [...nameOf(it), it] as const))(
    "%s %s -> %s",
    (mode, _src, _dst, { src, dst, ops }) => {
      const { scaled, at, strips } = layoutOf(mode, sizeOf(src), sizeOf(dst));
      const [width, height] = [scaled.width, scaled.height];
      const calls: unknown[] = [["resize", src, [width, height]]];
      if (mode !== 0) calls.push(["paste", [width, height], at]);
      for (const strip of strips) {
        const size = [strip.size.width, strip.size.height];
        const [[left, right], [top, bottom]] = strip.box;
        calls.push(["resize", [width, height], size, [left, top, right, bottom]], ["paste", size, strip.at]);
      }
      expect(calls).toEqual(ops);
    },
  );
});

describe("its pixels are Pillow's, without any tolerance: mode, from, to", () => {
  test.each(golden.resize.map((it) => [...nameOf(it), it] as const))(
    "%s %s -> %s",
    (mode, _src, _dst, { src, dst, probes }) => {
      const result = resizePicture(mode, ramp(src[0]!, src[1]!), sizeOf(dst));
      const seen = (probes as [number, number, number[]][]).map(([x, y]) => [x, y, pixelAt(result, x, y)]);
      expect(seen).toEqual(probes);
    },
  );
});

test.each([0, 1, 2])("grey is resized like each channel of RGB, in mode %d", (mode) => {
  const source = ramp(37, 53);
  const red = { ...source, channels: 1 as const, data: source.data.filter((_, at) => at % 3 === 0) };
  const size = { width: 64, height: 40 };
  const expected = resizePicture(mode, source, size).data.filter((_, at) => at % 3 === 0);
  expect(resizePicture(mode, red, size)).toEqual({ ...size, channels: 1, data: expected });
});

test.each([
  [2, 1, 1000],
  [1, 16384, 1],
])("mode %d refuses a picture of %dx%d, too long to be scaled", (mode, width, height) => {
  const source = { width, height, channels: 1 as const, data: new Uint8Array(width * height) };
  const error = thrownBy(() => resizePicture(mode, source, { width: 512, height: 512 }));
  expect([error.code, error.message]).toEqual([
    "invalid_request",
    `a picture of ${width}x${height} is too long for 512x512 with resize_mode ${mode}`,
  ]);
});
