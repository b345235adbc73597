/** A1111's hires fix between its two passes: the first picture, larger. */
import type { Link } from "../runtime/comfyui/graph.ts";
import { EndpointError } from "../runtime/errors.ts";
import type { GraphBuilder } from "./builder.ts";
import type { HiresSize } from "./hires-size.ts";

export type HiresUpscaler =
  | { kind: "latent"; method: "bilinear" | "bicubic" | "nearest-exact" }
  | { kind: "image"; method: "lanczos" | "nearest-exact" }
  | { kind: "model"; file: string };

/** A1111's names, in its order; the latent ones are `/latent-upscale-modes`. A name that is missing here is an upscale model's. */
const NAMED: Record<string, HiresUpscaler> = {
  Latent: { kind: "latent", method: "bilinear" },
  // Antialiasing matters only where the picture gets smaller.
  "Latent (antialiased)": { kind: "latent", method: "bilinear" },
  "Latent (bicubic)": { kind: "latent", method: "bicubic" },
  "Latent (bicubic antialiased)": { kind: "latent", method: "bicubic" },
  "Latent (nearest)": { kind: "latent", method: "nearest-exact" },
  "Latent (nearest-exact)": { kind: "latent", method: "nearest-exact" },
  None: { kind: "image", method: "lanczos" },
  Lanczos: { kind: "image", method: "lanczos" },
  Nearest: { kind: "image", method: "nearest-exact" },
};
const DEFAULT = "Latent";

/** A1111's titles of models whose files are called otherwise. */
const TITLES: Record<string, string> = {
  "R-ESRGAN 4x+": "RealESRGAN_x4plus",
  "R-ESRGAN 4x+ Anime6B": "RealESRGAN_x4plus_anime_6B",
  "R-ESRGAN 2x+": "RealESRGAN_x2plus",
  "R-ESRGAN General 4xV3": "realesr-general-x4v3",
  "R-ESRGAN General WDN 4xV3": "realesr-general-wdn-x4v3",
  "R-ESRGAN AnimeVideo": "realesr-animevideov3",
};

/**
 * @param name A1111's name or that of a model file, with or without its extension; null: its default.
 * @param models UpscaleModelLoader's list.
 * @throws EndpointError `unknown_model` with all there are.
 */
export function findHiresUpscaler(name: string | null, models: readonly string[]): HiresUpscaler {
  const wanted = name || DEFAULT;
  const named = Object.hasOwn(NAMED, wanted) ? NAMED[wanted] : undefined;
  if (named) return named;
  const stemOf = (file: string) =>
    file
      .split("/")
      .at(-1)!
      .replace(/\.[^.]+$/, "");
  const stem = (Object.hasOwn(TITLES, wanted) ? TITLES[wanted]! : wanted).toLowerCase();
  const file = models.find((model) => [model, stemOf(model)].some((other) => other.toLowerCase() === stem));
  if (file !== undefined) return { kind: "model", file };
  const available = [...Object.keys(NAMED), ...models.map(stemOf)];
  throw new EndpointError(
    "unknown_model",
    `hr_upscaler: could not find upscaler named ${wanted}; there are: ${available.join(", ")}`,
    { details: { field: "hr_upscaler", available } },
  );
}

const CELL = 8;
const floorToCells = (side: number) => Math.floor(side / CELL) * CELL;

/** LatentUpscale and LatentCrop go no lower. */
const MIN_SIDE = 64;
const MAX_SIDE = 16_384;

/** @throws EndpointError `invalid_request` for a picture that ComfyUI's nodes cannot make. */
export function checkHiresSize({ upscaled, final }: HiresSize): void {
  const sides = [...upscaled.map(floorToCells), ...final];
  if (sides.every((side) => side >= MIN_SIDE && side <= MAX_SIDE)) return;
  throw new EndpointError(
    "invalid_request",
    `hr_scale, hr_resize_x, hr_resize_y: ${final.join("x")} is not a size from ${MIN_SIDE} to ${MAX_SIDE} pixels a side`,
    { details: { field: "hr_scale" } },
  );
}

export interface HiresUpscale {
  latent: Link;
  size: HiresSize;
  upscaler: HiresUpscaler;
  /** VAEs of the first and of the second pass. */
  decoder: Link;
  encoder: Link;
}

/** @returns the latent that the second pass starts from. */
export function addHiresUpscale(
  builder: GraphBuilder,
  { latent, size, upscaler, decoder, encoder }: HiresUpscale,
): Link {
  const [width, height] = size.upscaled;
  if (upscaler.kind === "latent") {
    const larger = builder.add("LatentUpscale", {
      samples: latent,
      upscale_method: upscaler.method,
      width: floorToCells(width),
      height: floorToCells(height),
      crop: "disabled",
    });
    return addCrop(builder, larger(0), size);
  }
  const decoded = builder.add("VAEDecode", { samples: latent, vae: decoder })(0);
  const isLarger = upscaleFactor(size) > 1;
  const image =
    upscaler.kind === "model" && isLarger ? addModelUpscale(builder, decoded, upscaler.file, size) : decoded;
  const scaled = builder.add("ImageScale", {
    image,
    // A1111 makes a picture smaller in one way only.
    upscale_method: upscaler.kind === "image" && isLarger ? upscaler.method : "lanczos",
    width,
    height,
    crop: "disabled",
  });
  return addCrop(builder, builder.add("VAEEncode", { pixels: scaled(0), vae: encoder })(0), size);
}

const upscaleFactor = ({ first, upscaled }: HiresSize) =>
  Math.max(upscaled[0] / floorToCells(first[0]), upscaled[1] / floorToCells(first[1]));

/** How often A1111 lets a model enlarge a picture that is not yet large enough. */
const MAX_REPEATS = 3;
const USUAL_FACTOR = 4;

/** The model's own factor is told by nothing but its name. */
function addModelUpscale(builder: GraphBuilder, image: Link, file: string, size: HiresSize): Link {
  const match = /(?<!\d)(\d)x|x(\d)(?!\d)/i.exec(file);
  const factor = Number(match?.[1] ?? match?.[2] ?? USUAL_FACTOR);
  const needed = factor > 1 ? Math.ceil(Math.log(upscaleFactor(size)) / Math.log(factor) - 1e-9) : 1;
  const upscale_model = builder.share("UpscaleModelLoader", { model_name: file })(0);
  let larger = image;
  for (let repeat = 0; repeat < Math.min(MAX_REPEATS, needed); repeat++)
    larger = builder.add("ImageUpscaleWithModel", { upscale_model, image: larger })(0);
  return larger;
}

/** The half of what is too much that lies left and above, and the rest. */
function addCrop(builder: GraphBuilder, samples: Link, { truncated: [x, y], final: [width, height] }: HiresSize): Link {
  if (x === 0 && y === 0) return samples;
  const inputs = { samples, width, height, x: Math.floor(x / 2) * CELL, y: Math.floor(y / 2) * CELL };
  return builder.add("LatentCrop", inputs)(0);
}
