/** The picture that stands in for a model's: smooth colour fields and rings, drawn from hashes. */
import { createHash } from "node:crypto";
import type { ImageBatch } from "./node.ts";
import { mapValues, newImage, type Raster, repeatToBatch } from "./raster.ts";
import { resize } from "./resample.ts";

/** What a picture depends on. */
export interface Recipe {
  /** Decides the colours. */
  subject: string;
  /** Decides the composition. */
  seed: string;
  /** Everything else; shifts both a little. */
  details: string;
  /** Raises the contrast, 1 to 30. */
  cfg: number;
  hints: { image: ImageBatch; strength: number }[];
}

/** Colours vary slowly: the field is computed at a quarter of the size and enlarged. */
const COARSENESS = 4;
const RINGS = 3;

/** Numbers 0..1 drawn from a text, the same for the same text. */
function numbersFrom(text: string): () => number {
  let block = createHash("sha256").update(text).digest();
  let offset = 0;
  return () => {
    if (offset === block.length) {
      block = createHash("sha256").update(block).digest();
      offset = 0;
    }
    offset += 4;
    return block.readUInt32LE(offset - 4) / 2 ** 32;
  };
}

/** One picture of `width` x `height`, values 0..1. */
export function paint(recipe: Recipe, width: number, height: number): ImageBatch {
  const coarse = field(recipe, Math.ceil(width / COARSENESS), Math.ceil(height / COARSENESS), width / height);
  const picture = resize(coarse, width, height, "bilinear");
  drawRings(picture, recipe);
  const painted: ImageBatch = { ...picture, kind: "image" };
  return recipe.hints.reduce(follow, painted);
}

interface Wave {
  x: number;
  y: number;
  phase: number;
}

function field({ subject, seed, details, cfg }: Recipe, width: number, height: number, aspect: number): Raster {
  const colour = numbersFrom(subject);
  const layout = numbersFrom(seed);
  const nudge = numbersFrom(details);
  const waves: Wave[] = Array.from({ length: 6 }, () => ({
    x: (layout() - 0.5) * 12,
    y: (layout() - 0.5) * 12,
    phase: (layout() + nudge() * 0.35) * 2 * Math.PI,
  }));
  const palette = paletteFrom(colour, nudge);
  const contrast = 0.75 + 0.5 * (1 - 1 / (1 + Math.max(0, cfg) / 7));
  const image = newImage(1, height, width, 3);
  let target = 0;
  for (let row = 0; row < height; row++) {
    const v = row / height;
    for (let column = 0; column < width; column++) {
      const u = (column / width) * aspect;
      let warp = 0;
      for (const wave of waves.slice(0, 3)) warp += Math.sin(wave.x * u + wave.y * v + wave.phase);
      let level = 0;
      for (const wave of waves.slice(3)) level += Math.sin(wave.x * u + wave.y * v + wave.phase + warp);
      for (const { base, swing, turn } of palette) {
        const value = base + swing * Math.sin(level * 1.1 + turn + warp * 0.4);
        image.data[target++] = Math.max(0, Math.min(1, 0.5 + (value - 0.5) * contrast));
      }
    }
  }
  return image;
}

/** Per channel a mean, an amplitude and a phase: neighbouring levels get related colours. */
function paletteFrom(colour: () => number, nudge: () => number): { base: number; swing: number; turn: number }[] {
  return Array.from({ length: 3 }, () => ({
    base: 0.3 + 0.4 * colour() + 0.06 * (nudge() - 0.5),
    swing: 0.2 + 0.2 * colour(),
    turn: (colour() + 0.08 * nudge()) * 2 * Math.PI,
  }));
}

/** Soft rings give the eye something with a place; their centres come from the seed, their tint from the prompt. */
function drawRings(picture: Raster, { subject, seed, details }: Recipe): void {
  const { width, height, data } = picture;
  const layout = numbersFrom(`rings ${seed}`);
  const tint = numbersFrom(`rings ${subject}`);
  const nudge = numbersFrom(`rings ${details}`);
  const size = Math.min(width, height);
  for (let ring = 0; ring < RINGS; ring++) {
    const [x, y] = [layout() * width, layout() * height];
    const radius = size * (0.08 + 0.22 * layout() + 0.03 * nudge());
    const colour = [tint(), tint(), tint()];
    const reach = radius * 1.25;
    for (let row = Math.max(0, Math.floor(y - reach)); row < Math.min(height, y + reach); row++) {
      for (let column = Math.max(0, Math.floor(x - reach)); column < Math.min(width, x + reach); column++) {
        const distance = Math.hypot(column - x, row - y) / radius;
        const opacity = distance < 1 ? 0.25 + 0.4 * distance ** 6 : Math.max(0, 0.65 * (1 - (distance - 1) * 12));
        for (let channel = 0; channel < 3; channel++) {
          const index = (row * width + column) * 3 + channel;
          data[index] = data[index]! * (1 - opacity) + colour[channel]! * opacity;
        }
      }
    }
  }
}

/** Lets the picture follow the light and dark of a ControlNet's hint. */
function follow(picture: ImageBatch, { image, strength }: Recipe["hints"][number]): ImageBatch {
  const hint = resize(repeatToBatch(image, 1), picture.width, picture.height, "bilinear");
  const weight = Math.max(0, Math.min(0.8, strength * 0.45));
  return mapValues(
    picture,
    (value, index) => value * (1 - weight) + hint.data[Math.floor(index / 3) * hint.channels]! * weight,
  );
}
