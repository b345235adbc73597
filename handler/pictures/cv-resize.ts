/** OpenCV's `resize` for 8-bit pictures, as sd-webui-controlnet calls it: opencv's modules/imgproc/src/resize.cpp. */
import { blankRaster, isSameSize, type Raster, type Size } from "./raster.ts";

export type CvInterpolation = "nearest" | "cubic" | "area";

/** The pixels of a row or column that make one of the result, with their shares. */
interface Tap {
  from: number;
  share: number;
}
type Taps = Tap[][];

export function cvResize(source: Raster, size: Size, interpolation: CvInterpolation): Raster {
  if (isSameSize(source, size)) return source;
  const isSmaller = source.width >= size.width && source.height >= size.height;
  const tapsOf = TAPS[interpolation === "area" && !isSmaller ? "areaLarger" : interpolation];
  const columns = tapsOf(source.width, size.width);
  const rows = tapsOf(source.height, size.height);
  const { channels } = source;
  const result = blankRaster(size, channels);
  const line = new Float64Array(source.width * channels);
  for (const [y, taps] of rows.entries()) {
    mixRows(source, taps, line);
    for (const [x, cells] of columns.entries())
      for (let channel = 0; channel < channels; channel++) {
        let sum = 0;
        for (const { from, share } of cells) sum += line[from * channels + channel]! * share;
        result.data[(y * size.width + x) * channels + channel] = roundToByte(sum);
      }
  }
  return result;
}

function mixRows({ width, channels, data }: Raster, taps: Tap[], line: Float64Array): void {
  line.fill(0);
  const length = width * channels;
  for (const { from, share } of taps)
    for (let index = 0; index < length; index++) line[index]! += data[from * length + index]! * share;
}

const perPixel = (to: number, taps: (index: number) => Tap[]): Taps => Array.from({ length: to }, (_, i) => taps(i));

/** How many pixels of a row become how many others. */
const TAPS: Record<CvInterpolation | "areaLarger", (from: number, to: number) => Taps> = {
  nearest: (from, to) =>
    perPixel(to, (index) => [{ from: Math.min(Math.floor((index * from) / to), from - 1), share: 1 }]),
  cubic: (from, to) =>
    perPixel(to, (index) => {
      const place = (index + 0.5) * (from / to) - 0.5;
      const first = Math.floor(place);
      return cubicShares(place - first).map((share, tap) => ({
        from: Math.max(0, Math.min(from - 1, first - 1 + tap)),
        share,
      }));
    }),
  area: (from, to) => perPixel(to, (index) => areaTaps(index * (from / to), from / to, from)),
  areaLarger: (from, to) =>
    perPixel(to, (index) => {
      const first = Math.floor((index * from) / to);
      const over = index + 1 - ((first + 1) * to) / from;
      const share = over <= 0 ? 0 : over - Math.floor(over);
      return [
        { from: first, share: 1 - share },
        { from: Math.min(first + 1, from - 1), share },
      ];
    }),
};

const A = -0.75;

function cubicShares(x: number): [number, number, number, number] {
  const far = (d: number) => ((A * d - 5 * A) * d + 8 * A) * d - 4 * A;
  const near = (d: number) => ((A + 2) * d - (A + 3)) * d * d + 1;
  const [a, b, c] = [far(x + 1), near(x), near(1 - x)];
  return [a, b, c, 1 - a - b - c];
}

/** Parts of a pixel below this count as none. */
const SLIVER = 1e-3;

function areaTaps(start: number, length: number, size: number): Tap[] {
  const end = start + length;
  const cell = Math.min(length, size - start);
  const last = Math.min(Math.floor(end), size - 1);
  const first = Math.min(Math.ceil(start), last);
  const taps: Tap[] = [];
  if (first - start > SLIVER) taps.push({ from: first - 1, share: (first - start) / cell });
  for (let from = first; from < last; from++) taps.push({ from, share: 1 / cell });
  if (end - last > SLIVER) taps.push({ from: last, share: Math.min(end - last, 1, cell) / cell });
  return taps;
}

/** Halves go to the even neighbour. */
function roundToByte(value: number): number {
  const clipped = Math.max(0, Math.min(255, value));
  const below = Math.floor(clipped);
  const rest = clipped - below;
  return rest === 0.5 ? below + (below % 2) : Math.round(clipped);
}
