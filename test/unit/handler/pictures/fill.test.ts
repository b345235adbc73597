import { describe, expect, test } from "vitest";
import { fillMasked } from "../../../../handler/pictures/fill.ts";
import golden from "../../../fixtures/sdapi/geometry.json" with { type: "json" };
import { boxMask, pixelAt, ramp } from "../../../support/rasters.ts";

describe("masked colours are those of A1111's fill, without any tolerance", () => {
  test.each(golden.fill)("$white of $value in a $image", async ({ image, white, value, pixels_every_4 }) => {
    const [width, height] = image.match(/\d+/g)!.map(Number) as [number, number];
    const result = await fillMasked(ramp(width, height), boxMask([width, height], white, value));
    const step = width / 8;
    const seen = pixels_every_4.map((row, y) => row.map((_, x) => pixelAt(result, x * step + 2, y * step + 2)));
    expect(seen).toEqual(pixels_every_4);
  });
});

test("what is not masked stays as it was, and the source untouched", async () => {
  const [picture, mask] = [ramp(40, 32), boxMask([40, 32], [[4, 4, 20, 20]])];
  const before = ramp(40, 32);
  const { data } = await fillMasked(picture, mask);
  expect(picture).toEqual(before);
  const unmasked = (_: number, at: number) => mask.data[Math.trunc(at / 3)] === 0;
  expect(data.filter(unmasked)).toEqual(before.data.filter(unmasked));
});
