/** The seeds of a request's pictures, and what it says of the noise that is drawn from them. */
import { randomInt } from "node:crypto";
import type { Noise, NoiseVariation } from "../../../workflows/sampling.ts";
import { notHere, refuseOption } from "./exactness.ts";
import type { Img2ImgFields } from "./fields.ts";
import type { SdapiRequest } from "./parse.ts";

/** A1111 draws random seeds from 0 to this. */
const MAX_RANDOM_SEED = 4_294_967_293;

export interface Seeds {
  /** One per picture, as A1111's `info` tells them. */
  seeds: readonly bigint[];
  subseeds: readonly bigint[];
  /** One per sampling. */
  noises: readonly Noise[];
  /** Without what was left aside. */
  variation: Variation;
  /** Of img2img's noise; 1 for txt2img. */
  noiseMultiplier: number;
}

export interface Variation {
  /** 0: none. */
  strength: number;
  /** In pixels; noise is resized where both are above 0. */
  resizeFrom: { width: number; height: number };
}

export const isResized = ({ resizeFrom: { width, height } }: Variation): boolean => width > 0 && height > 0;

/**
 * A1111 counts up the seeds, or with variations the subseeds only.
 * @param inexact why ComfyUI's own nodes draw, where they do.
 * @throws EndpointError `unsupported_feature` for what those cannot do.
 */
export function readSeeds(request: SdapiRequest, pictures: number, inexact: string | undefined): Seeds {
  const { fields, options } = request;
  const variation = readVariation(request, inexact);
  const noiseMultiplier = readNoiseMultiplier(request, inexact);
  // Pictures of img2img are drawn alone: each has a beginning of its own.
  const batch = options.batch_latents && !("init_images" in fields) ? fields.batch_size : 1;
  const first = drawn(fields.seed);
  const firstSubseed = drawn(fields.subseed);
  const count = (from: bigint, step: (index: number) => number) =>
    Array.from({ length: pictures }, (_, index) => toSeed(from + BigInt(step(index))));
  // Core samplers draw the noise of a whole batch from its first seed.
  const perSampling = (index: number) => index - (index % batch);
  const seeds = count(first, (index) =>
    variation.strength !== 0 ? 0 : inexact === undefined ? index : perSampling(index),
  );
  const subseeds = count(firstSubseed, (index) => index);
  const noises = Array.from({ length: Math.ceil(pictures / batch) }, (_, index): Noise => {
    const [from, to] = [index * batch, (index + 1) * batch];
    return {
      seeds: unsigned(seeds.slice(from, to)),
      source: options.randn_source === "CPU" ? "CPU" : "NV",
      seedDelta: BigInt(options.eta_noise_seed_delta ?? 0),
      multiplier: noiseMultiplier,
      ...nodeVariation(variation, unsigned(subseeds.slice(from, to))),
    };
  });
  return { seeds, subseeds, noises, variation, noiseMultiplier };
}

const drawn = (given: bigint | number): bigint =>
  BigInt(given) === -1n ? BigInt(randomInt(MAX_RANDOM_SEED + 1)) : BigInt(given);

/** After the largest seed comes 0. */
const toSeed = (number: bigint) => (number < 0n ? number : BigInt.asUintN(64, number));

/** PyTorch takes a negative seed for the unsigned number of the same 64 bits; ComfyUI takes no negative ones. */
const unsigned = (seeds: readonly bigint[]): bigint[] => seeds.map((seed) => BigInt.asUintN(64, seed));

/** @throws EndpointError as {@link readSeeds}, for a pass of that model. */
export function readVariation({ fields, notes }: SdapiRequest, inexact: string | undefined): Variation {
  const { subseed_strength: strength, seed_resize_from_w: width, seed_resize_from_h: height } = fields;
  const asked = { strength, resizeFrom: { width, height } };
  if (inexact === undefined) return asked;
  if (strength !== 0) notes.refuse(notHere("subseed_strength", inexact));
  if (isResized(asked)) notes.refuse(notHere("seed_resize_from_w", inexact));
  return { strength: 0, resizeFrom: { width: -1, height: -1 } };
}

function nodeVariation(variation: Variation, subseeds: readonly bigint[]): { variation?: NoiseVariation } {
  const { strength, resizeFrom } = variation;
  if (strength === 0 && !isResized(variation)) return {};
  const { width, height } = isResized(variation) ? resizeFrom : { width: 0, height: 0 };
  return { variation: { subseeds, strength, fromWidth: width, fromHeight: height } };
}

/** What A1111's img2img multiplies its noise by. */
function readNoiseMultiplier(request: SdapiRequest, inexact: string | undefined): number {
  const { fields, options, notes } = request;
  if (!("init_images" in fields)) return 1;
  const { initial_noise_multiplier: own } = fields as Img2ImgFields;
  const multiplier = own ?? options.initial_noise_multiplier ?? 1;
  if (inexact === undefined || multiplier === 1) return multiplier;
  if (own !== null) notes.refuse(notHere("initial_noise_multiplier", inexact));
  else refuseOption(request, "initial_noise_multiplier", inexact);
  return 1;
}
