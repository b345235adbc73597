import { describe, expect, test } from "vitest";
import { expandCropRegion, getCropRegion, type Region } from "../../../../handler/pictures/crop-region.ts";
import golden from "../../../fixtures/sdapi/geometry.json" with { type: "json" };
import { boxMask } from "../../../support/rasters.ts";
import { thrownBy } from "../../../support/thrown.ts";

const numbers = (region: Region | undefined) =>
  region ? [region.left, region.top, region.right, region.bottom] : null;
const regionOf = ([left, top, right, bottom]: number[]) => ({ left: left!, top: top!, right: right!, bottom: bottom! });
const sizeOf = ([width, height]: number[]) => ({ width: width!, height: height! });

describe("the masked area is found as A1111 finds it", () => {
  test.each(golden.crop_region)("$white of $value in $size, padding $pad", ({ size, white, value, pad, v2 }) => {
    expect(numbers(getCropRegion(boxMask(size, white, value), pad))).toEqual(v2);
  });
});

describe("it is expanded as A1111 expands it", () => {
  test.each(golden.expand)("%j painted as %j in %j", (region, painted, picture, expected) => {
    expect(numbers(expandCropRegion(regionOf(region!), sizeOf(painted!), sizeOf(picture!)))).toEqual(expected);
  });
});

test("a padding that eats the area up is refused", () => {
  const region = getCropRegion(boxMask([64, 64], [[10, 10, 20, 20]]), -5)!;
  const error = thrownBy(() => expandCropRegion(region, { width: 64, height: 64 }, { width: 64, height: 64 }));
  expect([error.code, error.message]).toEqual([
    "invalid_request",
    "inpaint_full_res_padding: nothing of the masked area is left",
  ]);
});
