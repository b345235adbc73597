/** From a request that is read to its graph and its answer, as txt2img and img2img have it in common. */
import type { InputFile } from "../../../runtime/input-files.ts";
import { buildGeneration, type Generation, type Hires } from "../../../workflows/generation.ts";
import type { Models } from "../../../workflows/models.ts";
import type { StartPictures } from "../../../workflows/start-pictures.ts";
import type { Parameters } from "../../infotext/write.ts";
import { answerSdapi } from "../../outputs/sdapi-response.ts";
import type { Size } from "../../pictures/raster.ts";
import type { BuiltGraph, Inventory } from "../request.ts";
import { aestheticScores, type Common, distilled } from "./common.ts";
import { type ControlledGeneration, type Controls, readControls } from "./controlnet/controls.ts";
import { controlParameters } from "./controlnet/infotext.ts";
import type { Start as ControlStart } from "./controlnet/pictures.ts";
import { distilledParameters, emphasisParameters, refinerParameters } from "./extra-parameters.ts";
import { readHashes, shortTitle } from "./hashes.ts";
import type { SdapiRequest } from "./parse.ts";

export interface Drawing {
  request: SdapiRequest;
  common: Common;
  /** Of the first pass, as it is drawn. */
  size: Size;
  /** The same, as it was asked for. */
  asked: Size;
  hires?: Hires;
  start?: StartPictures;
  /** What ControlNet units without a picture take. */
  controlStart?: ControlStart;
  /** Null where no picture is started from. */
  denoisingStrength: number | null;
  /** What scripts add to `info`, before all else. */
  scriptParameters?: Parameters;
  /** What the route's own fields add to `info`. @param title A1111's short one of a model. */
  parameters(title: (models: Models) => string): Parameters;
}

/** @throws EndpointError `invalid_request`, `unknown_model`, `unsupported_feature`. */
export async function draw(
  drawing: Drawing,
  inventory: Inventory,
): Promise<Pick<BuiltGraph, "graph" | "finish" | "encode"> & { inputs: InputFile[]; shownMaps: number }> {
  const { request, common, asked, hires } = drawing;
  const { fields, controlUnits, extensions, notes } = request;
  const { models, refiner } = common;
  const controls = await readControls(controlUnits, controlled(drawing), { catalogue: inventory.catalogue, notes });
  const graph = buildGeneration(generationOf(drawing, controls, inventory));
  const hashes = await readHashes(hires ? [models, hires.models] : [models], graph, inventory);
  const title = (other: Models) => shortTitle(other, inventory);
  const answer = answerSdapi({
    request,
    common,
    hashes,
    ...asked,
    denoisingStrength: drawing.denoisingStrength,
    shownMaps: controls.shownMaps.length,
    extraParameters: {
      ...drawing.scriptParameters,
      ...controlParameters(controls.units),
      ...distilledParameters(models, extensions),
      ...drawing.parameters(title),
      ...hashes.networks,
      ...(refiner && refinerParameters(fields, refiner, { isHires: hires !== undefined, title })),
      ...emphasisParameters(request, common),
    },
  });
  return { graph, inputs: controls.inputs, shownMaps: controls.shownMaps.length, ...answer };
}

function controlled({ common, size, hires, controlStart }: Drawing): ControlledGeneration {
  const [width, height] = hires?.size.final ?? [];
  return {
    first: size,
    ...(width !== undefined && height !== undefined && { second: { width, height } }),
    ...(controlStart && { start: controlStart }),
    isRefined: common.refiner !== undefined,
  };
}

function generationOf(
  { request, common, size, asked, hires, start }: Drawing,
  controls: Controls,
  { catalogue }: Inventory,
): Generation {
  const { fields, options, notes } = request;
  const { sampler, models, refiner, prompts, noises } = common;
  return {
    prompts,
    noises,
    steps: fields.steps,
    cfgScale: fields.cfg_scale,
    ...distilled(request),
    aestheticScores: aestheticScores(request),
    ...size,
    askedSize: [asked.width, asked.height],
    sampler,
    models,
    embeddings: catalogue.embeddings,
    isOldTiming: options.use_old_scheduling ?? false,
    refuse: (refusal) => notes.refuse(refusal, "it is left out"),
    ...(options.emphasis && { emphasis: options.emphasis }),
    ...(start && { start }),
    controls: controls.first,
    shownMaps: controls.shownMaps,
    ...(hires && { hires: { ...hires, controls: controls.second } }),
    ...(refiner && { refiner }),
  };
}
