/** Nodes that lay one latent over another, or noise over a latent. */
import { type Described, fingerprint, type Latent } from "./diffusion-values.ts";
import { type Inputs, pure } from "./inputs.ts";
import type { ImageBatch, NodeImplementation } from "./node.ts";
import { paint } from "./paint.ts";
import { imageOf, mapValues, newImage, newMask, place, rasterOf, repeatToBatch } from "./raster.ts";
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

/** Brightness, 0 to 1, as the distance that a real model's latents would have. */
const DISTANCE = 8;

/** A pixel per cell: the brighter, the more the cell changed, by the real node's formula without its filters. */
function changes(inputs: Inputs): unknown {
  const [before, after] = [inputs.value<Latent>("original").samples, inputs.value<Latent>("samples").samples];
  const [width, height] = [after.width / CELL, after.height / CELL];
  const { data: shares } = resize(rasterOf(inputs.mask("mask")), width, height, "nearest-exact");
  const influence = inputs.number("mask_influence");
  const result = newImage(1, height, width, 3);
  for (let cell = 0; cell < width * height; cell++) {
    const scale = 0.5 * (1 - influence) + (1 - shares[cell]! ** (inputs.number("preservation") / 2)) * influence;
    const half = inputs.number("threshold") * (scale / (1.00001 - scale));
    const distance = DISTANCE * meanChange(before, after, (cell % width) * CELL, Math.floor(cell / width) * CELL);
    const kept = distance === 0 ? 1 : 1 / (1 + (distance / half) ** inputs.number("contrast"));
    result.data.fill(1 - kept, cell * 3, cell * 3 + 3);
  }
  return result;
}

function meanChange(before: ImageBatch, after: ImageBatch, left: number, top: number): number {
  let change = 0;
  for (let row = top; row < top + CELL; row++)
    for (let at = (row * after.width + left) * 3; at < (row * after.width + left + CELL) * 3; at++)
      change += Math.abs(after.data[at]! - before.data[at]!);
  return change / (CELL * CELL * 3);
}

export const LATENT_LAYERS: Record<string, NodeImplementation> = {
  LatentCompositeMasked: pure((inputs) => [compositeMasked(inputs)]),
  AddNoise: pure((inputs) => [addNoise(inputs)]),
  ComfyEndpointSoftInpaintMask: pure((inputs) => [changes(inputs)]),
};
