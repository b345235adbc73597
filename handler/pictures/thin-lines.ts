/** Black and white maps of lines after a change of size: sd-webui-controlnet's `nake_nms` and `lvmin_thin`, and Otsu's threshold. */
import { blankRaster, type Raster } from "./raster.ts";

type Offset = readonly [x: number, y: number];

/** The value of a grey pixel's neighbour; undefined outside, which OpenCV leaves out of account. */
function neighbour({ width, height, data }: Raster, x: number, y: number, [dx, dy]: Offset): number | undefined {
  const [column, row] = [x + dx, y + dy];
  if (column < 0 || row < 0 || column >= width || row >= height) return undefined;
  return data[row * width + column];
}

/** The two neighbours along a row, a column, and the diagonals. */
const DIRECTIONS: readonly (readonly [Offset, Offset])[] = [
  [
    [-1, 0],
    [1, 0],
  ],
  [
    [0, -1],
    [0, 1],
  ],
  [
    [-1, -1],
    [1, 1],
  ],
  [
    [1, -1],
    [-1, 1],
  ],
];

/** Keeps the grey pixels that are the lightest along at least one direction. */
export function keepRidges(grey: Raster): Raster {
  const ridges = blankRaster(grey, 1);
  for (let y = 0; y < grey.height; y++)
    for (let x = 0; x < grey.width; x++) {
      const value = grey.data[y * grey.width + x]!;
      if (value === 0) continue;
      const isRidge = DIRECTIONS.some((pair) => pair.every((offset) => (neighbour(grey, x, y, offset) ?? 0) <= value));
      if (isRidge) ridges.data[y * grey.width + x] = value;
    }
  return ridges;
}

/** White above the level that parts the grey values best (Otsu), else black. */
export function threshold(grey: Raster): Raster {
  const level = otsuLevel(grey.data);
  return { ...grey, data: grey.data.map((value) => (value > level ? 255 : 0)) };
}

/** Shares nearer to 0 or 1 than this are no part. */
const EPSILON = 2 ** -23;

function otsuLevel(data: Uint8Array): number {
  const shares = new Float64Array(256);
  for (const value of data) shares[value]! += 1 / data.length;
  const mean = shares.reduce((sum, share, value) => sum + share * value, 0);
  let [best, level, share, sum] = [0, 0, 0, 0];
  for (let value = 0; value < 256; value++) {
    share += shares[value]!;
    sum += shares[value]! * value;
    if (Math.min(share, 1 - share) < EPSILON) continue;
    const between = share * (1 - share) * (sum / share - (mean - sum) / (1 - share)) ** 2;
    if (between > best) [best, level] = [between, value];
  }
  return level;
}

/** What must be white and what black around a white pixel for it to go. */
interface Pattern {
  white: readonly Offset[];
  black: readonly Offset[];
}

/** Rows of a 3x3 pattern: `+` white, `-` black, `.` either; with its three turns to the left. */
function turned(rows: string): Pattern[] {
  const cells = [...rows.replaceAll(" ", "")].map((cell, index) => ({
    cell,
    offset: [(index % 3) - 1, Math.floor(index / 3) - 1] as Offset,
  }));
  return [0, 1, 2, 3].map((turns) => {
    const pick = (wanted: string) =>
      cells.filter(({ cell }) => cell === wanted).map(({ offset }) => turnLeft(offset, turns));
    return { white: pick("+"), black: pick("-") };
  });
}

const turnLeft = ([x, y]: Offset, turns: number): Offset => (turns === 0 ? [x, y] : turnLeft([y, -x], turns - 1));

/** First all turns of the one, then of the other would give other lines: they alternate. */
const interleave = (a: Pattern[], b: Pattern[]) => a.flatMap((pattern, index) => [pattern, b[index]!]);

const THINNING = interleave(turned("--- .+. +++"), turned(".-- ++- .+."));
const PRUNING = interleave(turned("--- -+- ..-"), turned("--- -+- -.."));
const MAX_ROUNDS = 32;

/** Lines one pixel wide; with `prunes`, without their last pixels. White on black, changed in place. */
export function thinLines(map: Raster, prunes: boolean): void {
  let white = [...map.data.keys()].filter((index) => map.data[index] !== 0);
  const remove = (patterns: readonly Pattern[]) => {
    const before = white.length;
    for (const pattern of patterns) white = removePattern(map, white, pattern);
    return white.length < before;
  };
  for (let round = 0; round < MAX_ROUNDS; round++) if (!remove(THINNING)) break;
  if (prunes) remove(PRUNING);
}

/** @returns the pixels that stay white. */
function removePattern(map: Raster, whitePixels: readonly number[], { white, black }: Pattern): number[] {
  const removed = new Set<number>();
  for (const index of whitePixels) {
    const [x, y] = [index % map.width, Math.floor(index / map.width)];
    const fits =
      white.every((offset) => neighbour(map, x, y, offset) !== 0) &&
      black.every((offset) => (neighbour(map, x, y, offset) ?? 0) === 0);
    if (fits) removed.add(index);
  }
  for (const index of removed) map.data[index] = 0;
  return removed.size === 0 ? [...whitePixels] : whitePixels.filter((index) => !removed.has(index));
}
