/** The part of a picture that is painted where only the masked area is: A1111's `get_crop_region_v2` and `expand_crop_region` (modules/masking.py). */
import { EndpointError } from "../../runtime/errors.ts";
import type { Raster, Size } from "./raster.ts";

/** In pixels; right and bottom are the first ones outside. */
export interface Region {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** All that is not black, and so many pixels around it; undefined where all is black. */
export function getCropRegion(mask: Raster, padding: number): Region | undefined {
  const box = boundingBox(mask);
  return (
    box && {
      left: Math.max(0, box.left - padding),
      top: Math.max(0, box.top - padding),
      right: Math.min(mask.width, box.right + padding),
      bottom: Math.min(mask.height, box.bottom + padding),
    }
  );
}

function boundingBox({ width, height, data }: Raster): Region | undefined {
  const box = { left: width, top: height, right: 0, bottom: 0 };
  for (let row = 0; row < height; row++) {
    const line = data.subarray(row * width, (row + 1) * width);
    const first = line.findIndex((value) => value > 0);
    if (first < 0) continue;
    box.left = Math.min(box.left, first);
    box.right = Math.max(box.right, line.findLastIndex((value) => value > 0) + 1);
    box.top = Math.min(box.top, row);
    box.bottom = row + 1;
  }
  return box.right === 0 ? undefined : box;
}

/**
 * Higher or wider, to the proportions that it is painted in, and moved back into the picture; cut off where it does not fit.
 * @throws EndpointError `invalid_request` for an empty region, which a negative padding makes.
 */
export function expandCropRegion(region: Region, painted: Size, picture: Size): Region {
  const { left, top, right, bottom } = region;
  const [width, height] = [right - left, bottom - top];
  if (width <= 0 || height <= 0)
    throw new EndpointError("invalid_request", "inpaint_full_res_padding: nothing of the masked area is left");
  const ratio = painted.width / painted.height;
  if (width / height > ratio) {
    const [from, to] = expand([top, bottom], width / ratio, picture.height);
    return { left, top: from, right, bottom: to };
  }
  const [from, to] = expand([left, right], height * ratio, picture.width);
  return { left: from, top, right: to, bottom };
}

function expand([from, to]: [number, number], wanted: number, limit: number): [number, number] {
  const missing = Math.trunc(wanted - (to - from));
  const before = Math.floor(missing / 2);
  const beyond = Math.max(0, to + missing - before - limit);
  const start = from - before - beyond;
  const end = to + missing - before - beyond;
  return start < 0 ? [0, Math.min(limit, end - start)] : [start, end];
}
