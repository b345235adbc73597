import { describe, expect, test } from "vitest";
import { getCropRegion } from "../../../../handler/pictures/crop-region.ts";
import { createBinaryMask, invertMask, latentMask, overlayMask } from "../../../../handler/pictures/mask.ts";
import { blurMask } from "../../../../handler/pictures/mask-blur.ts";
import type { Raster } from "../../../../handler/pictures/raster.ts";
import golden from "../../../fixtures/sdapi/geometry.json" with { type: "json" };
import { boxMask, columnOf, latentRows, rowOf } from "../../../support/rasters.ts";
import { thrownBy } from "../../../support/thrown.ts";

/** Four pixels in a row; what Pillow calls LA and P is RGB by the time that it gets here. */
const inputs: Record<string, [1 | 3 | 4, number[][]]> = {
  "RGB red 200,0,0": [3, [[200, 0, 0]]],
  "RGBA alpha 255": [4, [[200, 100, 50, 255]]],
  "RGBA alpha 0/128/129/200": [4, [0, 128, 129, 200].map((alpha) => [200, 100, 50, alpha])],
  "L 100": [1, [[100]]],
  LA: [3, [[77, 77, 77]]],
  P: [3, [[255, 255, 255]]],
};

describe("a mask is read from", () => {
  test.each(golden.binary_mask as [string, boolean, number[]][])("%s (rounded: %s)", (name, isRounded, expected) => {
    const [channels, pixels] = inputs[name]!;
    const data = Uint8Array.from({ length: 4 * channels }, (_, at) => {
      const pixel = pixels[Math.trunc(at / channels) % pixels.length]!;
      return pixel[at % channels]!;
    });
    const source: Raster = { width: 4, height: 1, channels, data };
    expect([...createBinaryMask(source, isRounded).data]).toEqual(expected);
  });
});

const numbers = (text: string) => text.match(/\d+/g)!.map(Number);
/** "64x64, white box 24,20,40,44" */
function describedMask(text: string): Raster {
  const [width, height, ...box] = numbers(text);
  return boxMask([width!, height!], [box]);
}

describe("a mask is blurred to the byte as by OpenCV", () => {
  const blurred = golden.mask_blur.flatMap((it) => (it.row32 === undefined ? [] : [it]));
  test.each(blurred)("$blur_x across, $blur_y down", ({ mask, blur_x, blur_y, row32, col32, row18, bbox }) => {
    const result = blurMask(describedMask(mask), blur_x!, blur_y!);
    expect([rowOf(result, 32), columnOf(result, 32), rowOf(result, 18)]).toEqual([row32, col32, row18]);
    const { left, top, right, bottom } = getCropRegion(result, 0)!;
    expect([left, top, right, bottom]).toEqual(bbox);
  });

  const whole = golden.mask_blur.flatMap((it) => (it.row32 === undefined ? [it] : []));
  test.each(whole)("$mask by $blur, for the whole picture", (it) => {
    const mask = blurMask(describedMask(it.mask), it.blur!, it.blur!);
    const hiding = overlayMask(mask);
    if (it.overlay_row32) expect(rowOf(hiding, 32)).toEqual(it.overlay_row32);
    if (it.overlay_row0) expect(rowOf(hiding, 0)).toEqual(it.overlay_row0);
    if (it.latent_mask) {
      const latent = latentMask(mask, mask, it.mask_round ?? true);
      const seen = it.latent_mask.map((row, y) => row.map((_, x) => latent.data[y * 8 * 64 + x * 8]! / 255));
      for (const [y, row] of it.latent_mask.entries())
        for (const [x, value] of row.entries()) expect(seen[y]![x]).toBeCloseTo(value, 3);
    }
  });

  // As OpenCV 4.9.
  test("a noisy line, mirrored at its ends more than once", () => {
    const line: Raster = { width: 5, height: 1, channels: 1, data: Uint8Array.of(9, 200, 31, 0, 255) };
    expect([...blurMask(line, 4, 0).data]).toEqual([91, 91, 90, 91, 90]);
    expect([...blurMask({ ...line, width: 1, height: 5 }, 0, 4).data]).toEqual([91, 91, 90, 91, 90]);
  });
});

test("a blur that would take for ever is refused, and one of areas does not", () => {
  const noise = { ...boxMask([2048, 2048], []), data: Uint8Array.from({ length: 2048 * 2048 }, (_, at) => at % 3) };
  const areas = boxMask([2048, 2048], [[500, 500, 1500, 1500]]);
  for (const [mask, sigma] of [
    [noise, 600],
    [areas, 7000],
  ] as const) {
    const error = thrownBy(() => blurMask(mask, sigma, 0));
    expect([error.code, error.message]).toEqual([
      "invalid_request",
      `mask_blur: ${sigma} is too much for this mask of 2048x2048`,
    ]);
  }
  expect(Math.max(...rowOf(blurMask(areas, 600, 0), 1000))).toBeLessThan(255);
});

test("a latent's mask is constant per latent pixel", () => {
  const mask = blurMask(boxMask([70, 66], [[20, 20, 45, 41]]), 2, 2);
  const latent = latentMask(mask, { width: 64, height: 64 }, false);
  for (let y = 0; y < 64; y++)
    for (let x = 0; x < 64; x++) expect(latent.data[y * 64 + x]).toBe(latent.data[(y & ~7) * 64 + (x & ~7)]);
  expect(latentRows(latentMask(mask, { width: 64, height: 64 }, true))[3]).toBe("00111000");
});

test("an inverted mask is white where it was black", () => {
  expect([...invertMask(boxMask([4, 1], [[0, 0, 2, 1]], 200)).data]).toEqual([55, 55, 255, 255]);
});
