/** ImageQuantize: Pillow's median cut (exact up to 65,536 different colours, where Pillow starts to coarsen) and its ways to dither. */
import { fromBytes, type Raster, toBytes } from "./raster.ts";

type Colour = readonly [red: number, green: number, blue: number];
/** A colour of the picture and how many pixels have it. */
interface Counted {
  colour: Colour;
  count: number;
}

/** Pillow weighs the extent of a box along red, green and blue by their share of luminance. */
const WEIGHTS: Colour = [77, 150, 29];
const AXES = [0, 1, 2] as const;

interface Box {
  entries: Counted[];
  pixels: number;
}

/** Reduces one 3-channel picture to `colors` colours. `dither`: `none`, `floyd-steinberg` or `bayer-N`. */
export function quantize(picture: Raster, colors: number, dither: string): Raster {
  const bytes = toBytes(picture);
  const palette = medianCut(bytes, colors);
  const { width, height } = picture;
  const order = Number(/^bayer-(\d+)$/.exec(dither)?.[1] ?? 0);
  const source = order > 0 ? withBayer(bytes, width, order, colors) : bytes;
  return fromBytes(
    dither === "floyd-steinberg" ? diffuse(source, width, height, palette) : nearestOf(source, palette),
    height,
    width,
    3,
  );
}

function medianCut(bytes: Uint8Array, colors: number): Colour[] {
  const counts = new Map<number, Counted>();
  for (let index = 0; index < bytes.length; index += 3) {
    const colour = [bytes[index]!, bytes[index + 1]!, bytes[index + 2]!] as const;
    const key = colour[0] * 65536 + colour[1] * 256 + colour[2];
    const known = counts.get(key);
    if (known) known.count++;
    else counts.set(key, { colour, count: 1 });
  }
  const boxes = [boxOf([...counts.values()])];
  while (boxes.length < colors) {
    const fullest = boxes.reduce(
      (best, box) => (box.entries.length > 1 && box.pixels > best.pixels ? box : best),
      NO_BOX,
    );
    if (fullest === NO_BOX) break;
    boxes.splice(boxes.indexOf(fullest), 1, ...halves(fullest));
  }
  return boxes.map(average);
}

const NO_BOX: Box = { entries: [], pixels: 0 };

const boxOf = (entries: Counted[]): Box => ({ entries, pixels: entries.reduce((sum, { count }) => sum + count, 0) });

function halves({ entries, pixels }: Box): [Box, Box] {
  const extent = (axis: 0 | 1 | 2) => {
    let [low, high] = [255, 0];
    for (const { colour } of entries) [low, high] = [Math.min(low, colour[axis]), Math.max(high, colour[axis])];
    return (high - low) * WEIGHTS[axis];
  };
  const axis = AXES.reduce((best, candidate) => (extent(candidate) > extent(best) ? candidate : best));
  const sorted = entries.toSorted((a, b) => b.colour[axis] - a.colour[axis]);
  let seen = 0;
  const middle = sorted.findIndex(({ count }) => {
    seen += count;
    return seen * 2 > pixels;
  });
  // Colours that are equal on the axis stay together; the last of them make a half of their own if need be.
  const value = ({ colour }: Counted) => colour[axis];
  const after = sorted.findIndex((entry) => value(entry) < value(sorted[middle]!));
  const cut = after >= 0 ? after : sorted.findIndex((entry) => value(entry) === value(sorted.at(-1)!));
  return [boxOf(sorted.slice(0, cut)), boxOf(sorted.slice(cut))];
}

function average({ entries, pixels }: Box): Colour {
  const mean = (axis: 0 | 1 | 2) => entries.reduce((sum, { colour, count }) => sum + colour[axis] * count, 0) / pixels;
  return AXES.map((axis) => Math.trunc(mean(axis) + 0.5)) as unknown as Colour;
}

/** Pillow looks colours up without their two lowest bits. */
function nearest(palette: Colour[], red: number, green: number, blue: number): Colour {
  let best = palette[0]!;
  let distance = Number.POSITIVE_INFINITY;
  for (const colour of palette) {
    const squared = (colour[0] - (red & 252)) ** 2 + (colour[1] - (green & 252)) ** 2 + (colour[2] - (blue & 252)) ** 2;
    if (squared < distance) [best, distance] = [colour, squared];
  }
  return best;
}

function nearestOf(bytes: Uint8Array, palette: Colour[]): Uint8Array {
  const result = new Uint8Array(bytes.length);
  for (let index = 0; index < bytes.length; index += 3) {
    result.set(nearest(palette, bytes[index]!, bytes[index + 1]!, bytes[index + 2]!), index);
  }
  return result;
}

/**
 * Floyd-Steinberg in sixteenths: 7 right, 3 lower left, 5 below, 1 lower right; shares are summed before the division. Below the
 * last column Pillow leaves blue's running sums for all three channels, which is copied for the sake of equal pixels.
 */
function diffuse(bytes: Uint8Array, width: number, height: number, palette: Colour[]): Uint8Array {
  const result = new Uint8Array(bytes.length);
  let above = new Int32Array(width * 3 + 6);
  for (let y = 0; y < height; y++) {
    const below = new Int32Array(width * 3 + 6);
    let right: Colour = [0, 0, 0];
    for (let x = 0; x < width; x++) {
      const index = (y * width + x) * 3;
      const share = (axis: 0 | 1 | 2) => Math.trunc((right[axis] * 7 + above[(x + 1) * 3 + axis]!) / 16);
      const wanted = AXES.map((axis) =>
        Math.max(0, Math.min(255, bytes[index + axis]! + share(axis))),
      ) as unknown as Colour;
      const chosen = nearest(palette, ...wanted);
      result.set(chosen, index);
      right = AXES.map((axis) => wanted[axis] - chosen[axis]) as unknown as Colour;
      for (const axis of AXES) {
        below[x * 3 + axis]! += right[axis] * 3;
        below[(x + 1) * 3 + axis]! += right[axis] * 5;
        below[(x + 2) * 3 + axis]! += right[axis];
      }
    }
    below.set([below[width * 3 + 2]!, right[2], right[2]], width * 3);
    above = below;
  }
  return result;
}

/** ComfyUI's ordered dither: a threshold matrix of `order` x `order`, spread by the palette's size. */
function withBayer(bytes: Uint8Array, width: number, order: number, colors: number): Uint8Array {
  const matrix = bayer(Math.trunc(Math.log2(order)));
  const spread = (2 * 256) / colors;
  return bytes.map((value, index) => {
    const pixel = Math.floor(index / 3);
    const row = matrix[Math.floor(pixel / width) % matrix.length]!;
    const shift = spread * row[(pixel % width) % matrix.length]! + 0.5;
    return Math.max(0, Math.min(255, value + shift));
  });
}

function bayer(level: number): number[][] {
  if (level === 0) return [[0]];
  const quarter = 4 ** level;
  const inner = bayer(level - 1);
  const block = (offset: number) => inner.map((row) => row.map((value) => (quarter * value + offset) / quarter));
  const [a, b, c, d] = [block(-1.5), block(0.5), block(1.5), block(-0.5)] as const;
  return [...a.map((row, y) => [...row, ...b[y]!]), ...c.map((row, y) => [...row, ...d[y]!])];
}
