/** Maps of ControlNets in pixels: sd-webui-controlnet's `detectmap_proc`, `HWC3` and the preprocessors that need no model. */
import { EndpointError } from "../../runtime/errors.ts";
import { type Placement, placeMap, type ResizeMode, roundHalfEven } from "../../workflows/control-placement.ts";
import { cvResize } from "./cv-resize.ts";
import { blankRaster, cropRaster, isSameSize, pasteRaster, type Raster, type Size, toRgb } from "./raster.ts";
import { keepRidges, thinLines, threshold } from "./thin-lines.ts";

/** RGB on white; cut, not rounded. */
export function onWhite(source: Raster): Raster {
  if (source.channels !== 4) return toRgb(source);
  const { data } = source;
  const flat = blankRaster(source, 3);
  for (let index = 0; index < flat.data.length; index++) {
    const pixel = Math.floor(index / 3) * 4;
    const alpha = Math.fround(data[pixel + 3]! / 255);
    const value = Math.fround(data[pixel + (index % 3)]! * alpha) + Math.fround(255 * Math.fround(1 - alpha));
    flat.data[index] = Math.min(255, Math.fround(value));
  }
  return flat;
}

export const invert = (map: Raster): Raster => ({ ...map, data: map.data.map((value) => 255 - value) });

const MAX_SIDE = 16_384;
const MAX_PIXELS = 32 * 2 ** 20;

/** @throws EndpointError `invalid_request` for the size of a picture so long that a side vanishes or outgrows all bounds. */
export function checkScaled({ width, height }: Size): void {
  const [least, most] = [Math.min(width, height), Math.max(width, height)];
  if (least >= 1 && most <= MAX_SIDE && width * height <= MAX_PIXELS) return;
  throw new EndpointError(
    "invalid_request",
    `a map of a ControlNet cannot be scaled to ${width}x${height}: its picture is too long, or too small`,
  );
}

/** Its shorter side has `resolution` pixels. @throws EndpointError as {@link checkScaled}. */
export function resizeToResolution(picture: Raster, resolution: number): Raster {
  const scale = resolution / Math.min(picture.width, picture.height);
  const size = { width: roundHalfEven(picture.width * scale), height: roundHalfEven(picture.height * scale) };
  checkScaled(size);
  return cvResize(picture, size, scale > 1 ? "cubic" : "area");
}

/** The `tile_resample` preprocessor: less detail by a factor, 1 or more. */
export function downsample(picture: Raster, factor: number): Raster {
  // The extension does nothing for less.
  if (factor < 1.1) return picture;
  const side = (length: number) => Math.max(1, Math.trunc(length / factor));
  return cvResize(picture, { width: side(picture.width), height: side(picture.height) }, "area");
}

/** An RGB map at the size of a pass. @throws EndpointError as {@link checkScaled}. */
export function fitMap(map: Raster, mode: ResizeMode, canvas: Size): Raster {
  const placement = placeMap(map, mode, canvas);
  checkScaled(placement.scaled);
  const scaled = resizeMap(map, placement.scaled);
  if (isSameSize(scaled, canvas)) return scaled;
  return mode === "Resize and Fill"
    ? onBorderColour(scaled, map, placement)
    : cropRaster(scaled, -placement.left, -placement.top, canvas);
}

function onBorderColour(scaled: Raster, map: Raster, { left, top, canvas }: Placement): Raster {
  const colour = borderColour(map);
  const filled = blankRaster(canvas, 3);
  for (let index = 0; index < filled.data.length; index++) filled.data[index] = colour[index % 3]!;
  pasteRaster(filled, scaled, left, top);
  return filled;
}

/** The median of each channel along the four borders; corners count twice. */
function borderColour({ width, height, data }: Raster): number[] {
  return [0, 1, 2].map((channel) => {
    const at = (x: number, y: number) => data[(y * width + x) * 3 + channel]!;
    const columns = Array.from({ length: width }, (_, x) => [at(x, 0), at(x, height - 1)]);
    const rows = Array.from({ length: height }, (_, y) => [at(0, y), at(width - 1, y)]);
    const values = [...columns, ...rows].flat().sort((a, b) => a - b);
    const middle = values.length / 2;
    return Math.floor((values[middle - 1]! + values[middle]!) / 2);
  });
}

/** Fewer colours than this are labels, not shades. */
const LABEL_COLOURS = 200;

function resizeMap(map: Raster, size: Size): Raster {
  if (isSameSize(map, size)) return map;
  const [before, after] = [map.width * map.height, size.width * size.height];
  const colours = countColours(map, LABEL_COLOURS);
  const isLabels = colours > 2 && colours < LABEL_COLOURS;
  const scaled = cvResize(map, size, isLabels ? "nearest" : after < before ? "area" : "cubic");
  if (colours !== 2 || !isBinary(map)) return scaled;
  const grey = meanOfChannels(scaled);
  if (!isOnePixelWide(map)) return toRgb(threshold(grey));
  const lines = threshold(keepRidges(grey));
  thinLines(lines, after > before);
  return toRgb(lines);
}

/** Up to a number. */
function countColours({ data }: Raster, enough: number): number {
  const seen = new Set<number>();
  for (let index = 0; index < data.length && seen.size < enough; index += 3)
    seen.add((data[index]! << 16) | (data[index + 1]! << 8) | data[index + 2]!);
  return seen.size;
}

const isBinary = ({ data }: Raster) => data.some((value) => value < 16) && data.some((value) => value > 240);

/** More than half of what is light goes when the map is eroded and dilated again. */
function isOnePixelWide(map: Raster): boolean {
  const opened = extremes(extremes(map, Math.min), Math.max);
  let [lost, light] = [0, 0];
  for (const [index, value] of map.data.entries()) {
    if (opened.data[index]! < value) lost++;
    if (value > 127) light++;
  }
  return lost * 2 > light;
}

/** Of the 3x3 around each value; what lies outside does not count. */
function extremes(map: Raster, pick: (a: number, b: number) => number): Raster {
  const line = map.width * map.channels;
  return extremesAlong(extremesAlong(map, map.channels, line, pick), line, map.data.length, pick);
}

/** Of each value and those one `step` before and after it, within its stretch of `length` values. */
function extremesAlong(map: Raster, step: number, length: number, pick: (a: number, b: number) => number): Raster {
  const { data } = map;
  const result = new Uint8Array(data.length);
  for (let start = 0; start < data.length; start += length)
    for (let place = 0; place < length; place++) {
      const index = start + place;
      let value = data[index]!;
      if (place >= step) value = pick(value, data[index - step]!);
      if (place + step < length) value = pick(value, data[index + step]!);
      result[index] = value;
    }
  return { ...map, data: result };
}

function meanOfChannels(map: Raster): Raster {
  const grey = blankRaster(map, 1);
  for (let pixel = 0; pixel < grey.data.length; pixel++)
    grey.data[pixel] = Math.floor((map.data[pixel * 3]! + map.data[pixel * 3 + 1]! + map.data[pixel * 3 + 2]!) / 3);
  return grey;
}
