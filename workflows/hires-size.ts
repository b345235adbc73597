/** Sizes of A1111's hires fix: A1111 v1.10.1, modules/processing.py calculate_target_resolution. */

export interface HiresSizing {
  /** As requested, in pixels. */
  width: number;
  height: number;
  /** Used when both of the others are 0. */
  scale: number;
  /** Wanted size; a side of 0 keeps the aspect. */
  resizeX: number;
  resizeY: number;
  /** If one is not 0, these are the first pass's size, in the old way. */
  firstWidth: number;
  firstHeight: number;
  /** A1111's option `use_old_hires_fix_width_height`: the size is the last pass's. */
  isSizeFinal: boolean;
}

export interface HiresSize {
  /** Of the first pass, in pixels, not cut to multiples of 8. */
  first: [width: number, height: number];
  /** What the first picture is scaled to. */
  upscaled: [width: number, height: number];
  /** Cells of 8 pixels that are then cut away. */
  truncated: [x: number, y: number];
  /** Of the picture. */
  final: [width: number, height: number];
  /** As A1111's infotext names it. */
  parameter: { "Hires upscale": number } | { "Hires resize": string };
}

const CELL = 8;
const OLD_FIRST_PASS_PIXELS = 512 * 512;

export function hiresSize(sizing: HiresSizing): HiresSize {
  let { width, height, resizeX, resizeY } = sizing;
  if (sizing.firstWidth !== 0 || sizing.firstHeight !== 0) [width, height] = [sizing.firstWidth, sizing.firstHeight];
  if (sizing.isSizeFinal) {
    [resizeX, resizeY] = [width, height];
    const scale = Math.sqrt(OLD_FIRST_PASS_PIXELS / (width * height));
    [width, height] = [Math.ceil((scale * width) / 64) * 64, Math.ceil((scale * height) / 64) * 64];
  }
  const isScaled = resizeX === 0 && resizeY === 0;
  const byWidth: [number, number] = [resizeX, Math.floor((resizeX * height) / width)];
  const byHeight: [number, number] = [Math.floor((resizeY * width) / height), resizeY];
  // Both sides wanted: the picture covers them, and what is too much is cut.
  const isByWidth = resizeY === 0 || (resizeX !== 0 && width / height < resizeX / resizeY);
  const upscaled: [number, number] = isScaled
    ? [Math.trunc(width * sizing.scale), Math.trunc(height * sizing.scale)]
    : isByWidth
      ? byWidth
      : byHeight;
  const isCut = resizeX !== 0 && resizeY !== 0;
  const truncated: [number, number] = isCut
    ? [Math.floor((upscaled[0] - resizeX) / CELL), Math.floor((upscaled[1] - resizeY) / CELL)]
    : [0, 0];
  const side = (index: 0 | 1) => (Math.floor(upscaled[index] / CELL) - truncated[index]) * CELL;
  return {
    first: [width, height],
    upscaled,
    truncated,
    final: [side(0), side(1)],
    parameter: isScaled ? { "Hires upscale": sizing.scale } : { "Hires resize": `${resizeX}x${resizeY}` },
  };
}
