/** Nodes that lay one latent over another, or noise over a latent. */
import { type Described, fingerprint, type Latent } from "./diffusion-values.ts";
import { type Inputs, pure } from "./inputs.ts";
import type { NodeImplementation } from "./node.ts";
import { paint } from "./paint.ts";
import { imageOf, mapValues, newMask, place, rasterOf, repeatToBatch } from "./raster.ts";
import { resize } from "./resample.ts";

const CELL = 8;

/** The mask has the size of what is laid over; what falls outside is lost. */
function compositeMasked(inputs: Inputs): Latent {
  const destination = inputs.value<Latent>("destination");
  const { width, height, batch } = destination.samples;
  const below = inputs.value<Latent>("source").samples;
  const source = inputs.flag("resize_source") ? resize(below, width, height, "bilinear") : below;
  const cells = (name: string) => Math.floor(inputs.number(name) / CELL) * CELL;
  const placed = (raster: Parameters<typeof place>[0]) =>
    repeatToBatch(place(raster, width, height, cells("x"), cells("y"), 0), batch);
  const mask = inputs.has("mask")
    ? rasterOf(inputs.mask("mask"))
    : rasterOf(newMask(1, source.height, source.width, 1));
  const fitted = resize(mask, source.width, source.height, "bilinear");
  const [over, opacity] = [placed(source).data, placed(fitted).data];
  const samples = mapValues(destination.samples, (value, index) => {
    const share = opacity[Math.floor(index / 3)]!;
    return share === 0 ? value : value * (1 - share) + over[index]! * share;
  });
  const { label: _, ...rest } = destination;
  return { ...rest, samples, empty: false };
}

/** Noise is a picture that depends on the noise alone. */
function addNoise(inputs: Inputs): Latent {
  const latent = inputs.value<Latent>("latent_image");
  const { width, height, batch } = latent.samples;
  const seed = fingerprint(inputs.value<Described>("noise"), inputs.value<Described>("sigmas"));
  const noise = paint({ subject: seed, seed, details: "noise", cfg: 30, hints: [] }, width, height);
  const over = repeatToBatch(noise, batch).data;
  const samples = mapValues(latent.samples, (value, index) => (value + over[index]!) / 2);
  return { ...latent, samples: imageOf(samples), empty: false };
}

export const LATENT_LAYERS: Record<string, NodeImplementation> = {
  LatentCompositeMasked: pure((inputs) => [compositeMasked(inputs)]),
  AddNoise: pure((inputs) => [addNoise(inputs)]),
};
