/** What flows along the links of the diffusion stand-in: no weights, but descriptions that say all that would shape a picture. */
import { createHash } from "node:crypto";
import type { ImageBatch, MaskBatch } from "./node.ts";

/** A model, CLIP, VAE, sampler, noise ...: known by what it was made from. */
export interface Described {
  kind: "described";
  /** Hash over the class and all inputs that led here. */
  fingerprint: string;
  /** Of a model that draws only where it is white. */
  mask?: MaskBatch;
}

export interface Conditioning extends Omit<Described, "kind"> {
  kind: "conditioning";
  text: string;
  /** Pictures of ControlNets, with their strength. */
  hints: { image: ImageBatch; strength: number }[];
}

export interface Sigmas extends Omit<Described, "kind"> {
  kind: "sigmas";
  steps: number;
  /** How much of the noise range they span, 0 to 1. */
  denoise: number;
}

/** Noise of our own node: what each picture of a batch gets depends on that picture's numbers alone. */
export interface PictureNoise extends Described {
  pictures: string[];
}

export interface Guider extends Omit<Described, "kind"> {
  kind: "guider";
  positive: Conditioning;
  negative: Conditioning | undefined;
  cfg: number;
}

/** A latent is simply the picture that it stands for, at full size. */
export interface Latent {
  kind: "latent";
  samples: ImageBatch;
  /** Nothing was drawn or encoded yet. */
  empty: boolean;
  noiseMask?: MaskBatch;
  /** ComfyUI's `batch_index`: which noise each picture gets. */
  batchIndex: number[];
  /** Prompt of a picture that was drawn as a whole, for the label. */
  label?: string;
}

/** A short hash; numbers, texts, pictures and described values count by content. */
export function fingerprint(...parts: unknown[]): string {
  const hash = createHash("sha1");
  for (const part of parts) hash.update(contentOf(part)).update("\0");
  return hash.digest("hex");
}

function contentOf(part: unknown): string | Uint8Array {
  if (typeof part !== "object" || part === null) return String(part);
  if ("fingerprint" in part) return String(part.fingerprint);
  if ("data" in part && part.data instanceof Float32Array)
    return new Uint8Array(part.data.buffer, part.data.byteOffset, part.data.byteLength);
  if ("samples" in part) return contentOf(part.samples);
  return JSON.stringify(part);
}

/** The description of what `classType` makes from `inputs`. A model stays masked. */
export function describe(classType: string, inputs: Record<string, unknown>): Described {
  const parts = Object.keys(inputs)
    .sort()
    .flatMap((name) => [name, inputs[name]]);
  const { mask } = (inputs["model"] ?? {}) as Partial<Described>;
  return { kind: "described", fingerprint: fingerprint(classType, ...parts), ...(mask && { mask }) };
}
