/** A1111's `images.resize_image`, as it is without an upscaler (option `upscaler_for_img2img` unset). */
import { EndpointError } from "../../runtime/errors.ts";
import { blankRaster, pasteRaster, type Raster, type Size } from "./raster.ts";
import { resample, type Span } from "./resample.ts";

/** `resize_mode` of requests. The next one, 3, is about latents. */
export const STRETCH = 0;
export const CROP_AND_RESIZE = 1;
export const RESIZE_AND_FILL = 2;

/** What a very long picture may be enlarged to, before all of it but a piece is cut off. */
const MAX_PIXELS = 64 * 2 ** 20;

/** How a picture comes to its new size. */
export interface Layout {
  /** The size of the whole picture after it was scaled, and where it stands in the new one. */
  scaled: Size;
  at: [number, number];
  /** Borders: boxes of the scaled picture, scaled again. */
  strips: { size: Size; box: [Span, Span]; at: [number, number] }[];
}

/** Every mode but the first two fills, as in A1111. */
export function layoutOf(mode: number, source: Size, size: Size): Layout {
  if (mode === STRETCH) return { scaled: size, at: [0, 0], strips: [] };
  const [wanted, had] = [size.width / size.height, source.width / source.height];
  const isByWidth = mode === CROP_AND_RESIZE ? wanted > had : wanted < had;
  const scaled = {
    width: isByWidth ? size.width : Math.floor((source.width * size.height) / source.height),
    height: isByWidth ? Math.floor((source.height * size.width) / source.width) : size.height,
  };
  const left = Math.floor(size.width / 2) - Math.floor(scaled.width / 2);
  const top = Math.floor(size.height / 2) - Math.floor(scaled.height / 2);
  const strips = mode === CROP_AND_RESIZE || wanted === had ? [] : stripsOf(scaled, size, left, top);
  return { scaled, at: [left, top], strips };
}

/** A1111 scales the outermost line of pixels, a box without any height or width, to what is free before and after the picture. */
function stripsOf({ width, height }: Size, size: Size, left: number, top: number): Layout["strips"] {
  const wide = { width: size.width, height: top };
  const high = { width: left, height: size.height };
  const strips: Layout["strips"] = [
    {
      size: wide,
      box: [
        [0, width],
        [0, 0],
      ],
      at: [0, 0],
    },
    {
      size: wide,
      box: [
        [0, width],
        [height, height],
      ],
      at: [0, top + height],
    },
    {
      size: high,
      box: [
        [0, 0],
        [0, height],
      ],
      at: [0, 0],
    },
    {
      size: high,
      box: [
        [width, width],
        [0, height],
      ],
      at: [left + width, 0],
    },
  ];
  return strips.filter((strip) => strip.size.width > 0 && strip.size.height > 0);
}

/**
 * Grey or RGB to a size.
 * @throws EndpointError `invalid_request` for a picture so long that a side would vanish or outgrow all bounds.
 */
export function resizePicture(mode: number, source: Raster, size: Size): Raster {
  const { scaled, at, strips } = layoutOf(mode, source, size);
  const pixels = scaled.width * scaled.height;
  if (pixels === 0 || pixels > MAX_PIXELS)
    throw new EndpointError(
      "invalid_request",
      `a picture of ${source.width}x${source.height} is too long for ${size.width}x${size.height} with resize_mode ${mode}`,
    );
  const resized = resample(source, scaled, "lanczos");
  if (mode === STRETCH) return resized;
  const result = blankRaster(size, source.channels);
  pasteRaster(result, resized, ...at);
  for (const strip of strips) pasteRaster(result, resample(resized, strip.size, "bicubic", strip.box), ...strip.at);
  return result;
}
