/**
 * A1111's grid: all pictures in one, before them in the answer. Its API makes one for whoever has it save pictures, which takes clients by
 * surprise that read the first picture; here `override_settings` must ask for it.
 */
import { EndpointError } from "../../../runtime/errors.ts";
import { imageGrid } from "../../pictures/grid.ts";
import { decodeRaster, encodePng, type Size } from "../../pictures/raster.ts";
import type { BuiltGraph } from "../request.ts";
import type { SdapiRequest } from "./parse.ts";

/** All pixels of a grid are held at once. */
const MAX_PIXELS = 64 * 2 ** 20;

export function wantsGrid({ fields, options }: SdapiRequest, pictures: number): boolean {
  const isAsked = Object.hasOwn(fields.override_settings ?? {}, "return_grid") && options.return_grid === true;
  return isAsked && (pictures > 1 || options.grid_only_if_multiple === false);
}

/**
 * What puts the grid before the pictures; nothing where none is wanted.
 * @param size of one picture, as far as it is known before it is made.
 * @throws EndpointError `invalid_request` for one that is too large; so does what it returns.
 */
export function gridOf(
  request: SdapiRequest,
  { pictures, batchSize, size }: { pictures: number; batchSize: number; size: Size },
): Pick<BuiltGraph, "compose"> {
  if (!wantsGrid(request, pictures)) return {};
  const { options } = request;
  const layout = { rows: options.n_rows ?? -1, batchSize, isWithoutGaps: options.grid_prevent_empty_spots ?? false };
  checkSize(Array.from({ length: pictures }, () => size));
  return {
    compose: async (files) => {
      // Maps of ControlNets come after the pictures.
      const rasters = await Promise.all(files.slice(0, pictures).map(decodeRaster));
      checkSize(rasters);
      return [await encodePng(imageGrid(rasters, layout)), ...files];
    },
  };
}

function checkSize(pictures: readonly Size[]): void {
  const pixels = pictures.reduce((sum, { width, height }) => sum + width * height, 0);
  if (pixels <= MAX_PIXELS) return;
  const message = `a grid of ${pictures.length} such pictures is too large`;
  throw new EndpointError("invalid_request", `override_settings.return_grid: ${message}`, {
    details: { issues: [{ field: "override_settings.return_grid", message }] },
  });
}
