/** A1111's hires fix between its two passes: the first picture, larger. */
import type { Link } from "../runtime/comfyui/graph.ts";
import { EndpointError } from "../runtime/errors.ts";
import type { GraphBuilder } from "./builder.ts";
import type { HiresSize } from "./hires-size.ts";
import { addModelRuns, findUpscaleModel, modelEnlargement, type UpscaleModel } from "./upscalers.ts";

export type HiresUpscaler =
  | { kind: "latent"; method: "bilinear" | "bicubic" | "nearest-exact" }
  | { kind: "image"; method: "lanczos" | "nearest-exact" }
  | { kind: "model"; model: UpscaleModel };

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

/**
 * @param name A1111's name or that of a model file, with or without its extension; null: its default.
 * @param models UpscaleModelLoader's list.
 * @throws EndpointError `unknown_model` with all there are, `unsupported_feature`.
 */
export function findHiresUpscaler(name: string | null, models: readonly string[]): HiresUpscaler {
  const wanted = name || DEFAULT;
  const named = Object.hasOwn(NAMED, wanted) ? NAMED[wanted] : undefined;
  if (named) return named;
  return { kind: "model", model: findUpscaleModel("hr_upscaler", wanted, models, Object.keys(NAMED)) };
}

const CELL = 8;
const floorToCells = (side: number) => Math.floor(side / CELL) * CELL;

/** LatentUpscale and LatentCrop go no lower. */
const MIN_SIDE = 64;
const MAX_SIDE = 16_384;

/** @throws EndpointError `invalid_request` for a picture that ComfyUI's nodes cannot make. */
export function checkHiresSize({ upscaled, final }: HiresSize, field: string): void {
  const sides = [...upscaled.map(floorToCells), ...final];
  if (sides.every((side) => side >= MIN_SIDE && side <= MAX_SIDE)) return;
  throw new EndpointError(
    "invalid_request",
    `${field}: ${final.join("x")} is not a size from ${MIN_SIDE} to ${MAX_SIDE} pixels a side`,
    { details: { field } },
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
  const image = upscaler.kind === "model" ? addModelUpscale(builder, decoded, upscaler.model, size) : decoded;
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

/** A1111 asks a model only for what is larger (modules/images.py, resize_image). */
function addModelUpscale(builder: GraphBuilder, image: Link, model: UpscaleModel, size: HiresSize): Link {
  const scale = upscaleFactor(size);
  if (scale <= 1) return image;
  const [width, height] = size.first.map(floorToCells) as [number, number];
  return addModelRuns(builder, image, model, modelEnlargement(width, height, scale, model).runs);
}

/** The half of what is too much that lies left and above, and the rest. */
function addCrop(builder: GraphBuilder, samples: Link, { truncated: [x, y], final: [width, height] }: HiresSize): Link {
  if (x === 0 && y === 0) return samples;
  const inputs = { samples, width, height, x: Math.floor(x / 2) * CELL, y: Math.floor(y / 2) * CELL };
  return builder.add("LatentCrop", inputs)(0);
}
