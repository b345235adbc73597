import { describe, expect, test } from "vitest";
import { blurMask } from "../../../../handler/pictures/mask-blur.ts";
import { applyOverlay } from "../../../../handler/pictures/overlay.ts";
import golden from "../../../fixtures/sdapi/geometry.json" with { type: "json" };
import { boxMask, columnOf, ramp, rowOf, solid } from "../../../support/rasters.ts";

const pink = solid(32, 32, [255, 0, 255]);

describe("the painted picture goes back into the original as in A1111, without any tolerance", () => {
  test.each(golden.overlay)("at $paste_to", ({ overlay, paste_to, out_size, row14, col14 }) => {
    const [width, height] = overlay.match(/\d+/g)!.map(Number) as [number, number];
    const mask = blurMask(boxMask([width, height], [[8, 8, 20, 20]]), 2, 2);
    const [left, top, wide, high] = paste_to ?? [];
    const region = paste_to ? { left: left!, top: top!, right: left! + wide!, bottom: top! + high! } : undefined;
    const result = applyOverlay(pink, ramp(width, height), mask, region);
    expect([result.width, result.height]).toEqual(out_size);
    expect([rowOf(result, 14), columnOf(result, 14)]).toEqual([row14.flat(), col14.flat()]);
  });
});

test("an original of another size starts at the top left, and what goes beyond is left out", () => {
  const result = applyOverlay(pink, ramp(40, 8), boxMask([40, 8], []), undefined);
  expect([result.width, result.height]).toEqual([32, 32]);
  expect(rowOf(result, 7)).toEqual(rowOf(ramp(40, 8), 7).slice(0, 96));
  expect(rowOf(result, 8)).toEqual(rowOf(pink, 8));
});
