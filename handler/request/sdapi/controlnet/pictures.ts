/** A ControlNet unit's picture, and the map that its preprocessor makes of it for a pass: sd-webui-controlnet's `get_control`. */
import { type InputFile, inputFile } from "../../../../runtime/input-files.ts";
import {
  pixelPerfectResolution,
  placeMap,
  RESIZE_MODES,
  type ResizeMode,
} from "../../../../workflows/control-placement.ts";
import type { ControlMap, Edges } from "../../../../workflows/controlnet.ts";
import { checkScaled, downsample, fitMap, invert, onWhite, resizeToResolution } from "../../../pictures/control-map.ts";
import type { Region } from "../../../pictures/crop-region.ts";
import { blankRaster, cropRaster, encodePng, isSameSize, type Raster, type Size } from "../../../pictures/raster.ts";
import { readRequestImages } from "../../../pictures/request-image.ts";
import { RESIZE_AND_FILL, resizePicture } from "../../../pictures/resize.ts";
import { invalidField } from "../../field-errors.ts";
import type { ControlUnit } from "./units.ts";

/** What img2img starts from. */
export interface Start {
  /** The first picture, as it was sent. */
  picture: Raster;
  /** A1111's `resize_mode`, 0 to 3. */
  resizeMode: number;
  /** Where only the masked area is painted: its place in a mask of that size. */
  masked?: { region: Region; mask: Size };
}

export interface UnitPicture {
  /** RGB. */
  picture: Raster;
  resizeMode: ResizeMode;
}

/**
 * A unit's own picture; else the one that img2img starts from, in its `resize_mode`.
 * @param canvas pixels of the first pass.
 * @throws EndpointError `invalid_request`, `unsupported_feature`.
 */
export async function readUnitPicture(unit: ControlUnit, start: Start | undefined, canvas: Size): Promise<UnitPicture> {
  const own = unit.picture && (await readOwnPicture(unit.field, unit.picture));
  if (own === undefined && start === undefined)
    throw invalidField(`${unit.field}.image`, "controlnet is enabled but no input image is given");
  const resizeMode = own ? unit.fields.resize_mode : (RESIZE_MODES[start!.resizeMode] ?? RESIZE_MODES[0]);
  const picture = own ?? onWhite(start!.picture);
  const { masked } = start ?? {};
  if (!masked || !unit.fields.inpaint_crop_input_image) return { picture, resizeMode };
  return { picture: cropToMasked(picture, resizeMode, masked, canvas), resizeMode };
}

/** The part of a picture that is painted: the extension's `try_crop_image_with_a1111_mask`. */
function cropToMasked(
  picture: Raster,
  resizeMode: ResizeMode,
  { region, mask }: NonNullable<Start["masked"]>,
  canvas: Size,
): Raster {
  const whole = resizePicture(RESIZE_MODES.indexOf(resizeMode), picture, mask);
  const { left, top, right, bottom } = region;
  const part = cropRaster(whole, left, top, { width: right - left, height: bottom - top });
  return resizePicture(RESIZE_AND_FILL, part, canvas);
}

async function readOwnPicture(field: string, { image, mask }: NonNullable<ControlUnit["picture"]>): Promise<Raster> {
  const texts = [
    { field: `${field}.image`, text: image },
    ...(mask === undefined ? [] : [{ field: `${field}.mask`, text: mask }]),
  ];
  const [read, readMask] = (await readRequestImages(texts)).map(onWhite);
  if (readMask === undefined) return read!;
  if (!isSameSize(read!, readMask))
    throw invalidField(
      `${field}.mask`,
      `image shape ((${read!.height}, ${read!.width})) not aligned with mask shape ((${readMask.height}, ${readMask.width}))`,
    );
  return scribbleOf(readMask) ?? read!;
}

/** A mask that is neither empty nor full is what was drawn on the picture, and takes its place. Its first channel counts. */
function scribbleOf({ data, ...mask }: Raster): Raster | undefined {
  const levels = data.filter((_, index) => index % 3 === 0);
  if (levels.every((level) => level <= 5) || levels.every((level) => level >= 250)) return undefined;
  const scribble = blankRaster(mask, 3);
  for (let index = 0; index < scribble.data.length; index++) scribble.data[index] = levels[Math.floor(index / 3)]!;
  return scribble;
}

export interface DrawnMap {
  map: ControlMap;
  input: InputFile;
  warnings: string[];
}

/**
 * @param canvas pixels of the pass.
 * @param firstCanvas pixels of the first pass, which `pixel_perfect` goes by.
 */
export async function drawMap(
  unit: ControlUnit,
  given: UnitPicture,
  canvas: Size,
  firstCanvas: Size,
): Promise<DrawnMap> {
  const { preprocessor, thresholdA } = unit;
  if (preprocessor.name === "canny") return drawEdges(unit, given, canvas, firstCanvas);
  const { picture, resizeMode } = given;
  const made = {
    none: () => picture,
    invert: () => invert(picture),
    tile_resample: () => downsample(picture, thresholdA),
  }[preprocessor.name]();
  const input = inputFile(await encodePng(fitMap(made, resizeMode, canvas)));
  return { map: { picture: input.name }, input, warnings: [] };
}

const EDGES_WARNING =
  "edges are ComfyUI's Canny, which smooths the picture before it looks for them: they differ a little from A1111's";
const SCALED_WARNING =
  "the map of edges is scaled to the size of the picture without being thinned again as in A1111; pixel_perfect avoids it where the aspects agree";

async function drawEdges(
  unit: ControlUnit,
  { picture, resizeMode }: UnitPicture,
  canvas: Size,
  firstCanvas: Size,
): Promise<DrawnMap> {
  const resolution = unit.fields.pixel_perfect
    ? pixelPerfectResolution(picture, resizeMode, firstCanvas)
    : unit.processorRes;
  const source = resizeToResolution(picture, resolution);
  const placement = placeMap(source, resizeMode, canvas);
  checkScaled(placement.scaled);
  const isScaled = !isSameSize(placement.scaled, source);
  const isPlaced = isScaled || !isSameSize(source, canvas);
  const isSmaller = placement.scaled.width * placement.scaled.height < source.width * source.height;
  const input = inputFile(await encodePng(source));
  const edges: Edges = {
    ...thresholdsOf(unit),
    ...(isPlaced && { placement: { ...placement, method: isSmaller ? "area" : "bicubic" } }),
  };
  return {
    map: { picture: input.name, edges },
    input,
    warnings: [EDGES_WARNING, ...(isScaled ? [SCALED_WARNING] : [])],
  };
}

/** ComfyUI's Canny takes shares of 255, and none nearer to the ends. */
function thresholdsOf({ thresholdA, thresholdB }: ControlUnit): { low: number; high: number } {
  const share = (level: number) => Math.min(0.99, Math.max(0.01, Number((Math.trunc(level) / 255).toFixed(3))));
  const [low, high] = [share(thresholdA), share(thresholdB)].sort((a, b) => a - b) as [number, number];
  return { low, high };
}
