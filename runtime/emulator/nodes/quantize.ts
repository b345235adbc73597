/** ImageQuantize: a median cut palette in the manner of Pillow's, and its three ways to dither. */
import { fromBytes, type Raster, toBytes } from "./raster.ts";

type Colour = readonly [red: number, green: number, blue: number];
interface Counted {
  colour: Colour;
  count: number;
}

/** Pillow weighs the extent of a box along red, green and blue by their share of luminance. */
const WEIGHTS: Colour = [77, 150, 29];
const AXES = [0, 1, 2] as const;

/** Reduces one 3-channel picture to `colors` colours. `dither`: `none`, `floyd-steinberg` or `bayer-N`. */
export function quantize(picture: Raster, colors: number, dither: string): Raster {
  const bytes = toBytes(picture);
  const palette = medianCut(bytes, colors);
  const { width, height } = picture;
  const order = Number(/^bayer-(\d+)$/.exec(dither)?.[1] ?? 0);
  const source = order > 0 ? withBayer(bytes, width, order, palette.length) : bytes;
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
  const boxes = [[...counts.values()]];
  while (boxes.length < colors) {
    const fullest = boxes.filter((box) => box.length > 1).sort((a, b) => population(b) - population(a))[0];
    if (!fullest) break;
    boxes.splice(boxes.indexOf(fullest), 1, ...halves(fullest));
  }
  return boxes.map(average);
}

const population = (box: Counted[]) => box.reduce((sum, { count }) => sum + count, 0);

function halves(box: Counted[]): [Counted[], Counted[]] {
  const extent = (axis: 0 | 1 | 2) => {
    const values = box.map(({ colour }) => colour[axis]);
    return (Math.max(...values) - Math.min(...values)) * WEIGHTS[axis];
  };
  const axis = AXES.reduce((best, candidate) => (extent(candidate) > extent(best) ? candidate : best));
  const sorted = box.toSorted((a, b) => b.colour[axis] - a.colour[axis]);
  const half = population(box) / 2;
  let seen = 0;
  let cut = 0;
  while (seen < half && cut < sorted.length - 1) seen += sorted[cut++]!.count;
  return [sorted.slice(0, cut), sorted.slice(cut)];
}

function average(box: Counted[]): Colour {
  const total = population(box);
  return AXES.map((axis) =>
    Math.trunc(box.reduce((sum, { colour, count }) => sum + colour[axis] * count, 0) / total + 0.5),
  ) as unknown as Colour;
}

function nearest(palette: Colour[], red: number, green: number, blue: number): Colour {
  let best = palette[0]!;
  let distance = Number.POSITIVE_INFINITY;
  for (const colour of palette) {
    const squared = (colour[0] - red) ** 2 + (colour[1] - green) ** 2 + (colour[2] - blue) ** 2;
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

/** Floyd-Steinberg: 7/16 right, 3/16 lower left, 5/16 below, 1/16 lower right. */
function diffuse(bytes: Uint8Array, width: number, height: number, palette: Colour[]): Uint8Array {
  const work = Float32Array.from(bytes);
  const result = new Uint8Array(bytes.length);
  const shares = [
    [1, 0, 7],
    [-1, 1, 3],
    [0, 1, 5],
    [1, 1, 1],
  ] as const;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const index = (y * width + x) * 3;
      const wanted = AXES.map((axis) =>
        Math.max(0, Math.min(255, Math.trunc(work[index + axis]!))),
      ) as unknown as Colour;
      const chosen = nearest(palette, ...wanted);
      result.set(chosen, index);
      for (const [dx, dy, share] of shares) {
        if (x + dx < 0 || x + dx >= width || y + dy >= height) continue;
        const target = ((y + dy) * width + x + dx) * 3;
        for (const axis of AXES) work[target + axis]! += ((wanted[axis] - chosen[axis]) * share) / 16;
      }
    }
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
