/** A1111's `POST /sdapi/v1/txt2img`. */
import { EndpointError } from "../../../runtime/errors.ts";
import { buildGeneration } from "../../../workflows/generation.ts";
import { isInpaintingModel } from "../../../workflows/model-family.ts";
import type { Models } from "../../../workflows/models.ts";
import { answerSdapi } from "../../outputs/sdapi-response.ts";
import type { BuiltGraph, GraphRequest, Inventory } from "../request.ts";
import { aestheticScores, distilled, floorToMultiple, readCommon } from "./common.ts";
import { readControls } from "./controlnet/controls.ts";
import { controlParameters } from "./controlnet/infotext.ts";
import {
  distilledParameters,
  emphasisParameters,
  hiresParameters,
  noiseParameters,
  refinerParameters,
} from "./extra-parameters.ts";
import type { Txt2ImgFields } from "./fields.ts";
import { gridOf } from "./grid.ts";
import { readHashes, shortTitle } from "./hashes.ts";
import { readHires } from "./hires.ts";
import {
  countPictures,
  deliveryOf,
  duringBuild,
  notAvailable,
  parseSdapi,
  type SdapiRequest,
  TXT2IMG,
} from "./parse.ts";
import type { SdapiSettings } from "./settings.ts";

/**
 * @param worker what holds where the request says nothing.
 * @throws EndpointError `invalid_request`, `unsupported_feature`.
 */
export function parseTxt2Img(given: unknown, worker: Partial<SdapiSettings> = {}): GraphRequest {
  const request = parseSdapi(TXT2IMG, given, worker);
  const { fields } = request;
  refuseFirstSize(request);
  const pictures = countPictures(fields.batch_size, fields.n_iter);
  return {
    kind: "sdapi/txt2img",
    delivery: deliveryOf(request),
    extraData: {},
    build: (inventory) => build(duringBuild(request, inventory), pictures, inventory),
  };
}

async function build(
  request: SdapiRequest<Txt2ImgFields>,
  pictures: number,
  inventory: Inventory,
): Promise<BuiltGraph> {
  const { fields, options, controlUnits, notes } = request;
  const { catalogue } = inventory;
  const common = await readCommon(request, pictures, inventory);
  const { sampler, models, refiner, prompts, seeds } = common;
  const hires = fields.enable_hr ? await readHires(request, common, inventory) : undefined;
  if (hires) refuseMaskWeight(request, hires.models);
  const [width, height] = hires?.size.first ?? [fields.width, fields.height];
  const size = { width: floorToMultiple(width, models), height: floorToMultiple(height, models) };
  const controls = await readControls(
    controlUnits,
    {
      first: size,
      ...(hires && { second: { width: hires.size.final[0], height: hires.size.final[1] } }),
      isRefined: refiner !== undefined,
    },
    { catalogue, notes },
  );
  const graph = buildGeneration({
    prompts,
    seeds,
    steps: fields.steps,
    cfgScale: fields.cfg_scale,
    ...distilled(request),
    aestheticScores: aestheticScores(request),
    ...size,
    askedSize: [width, height],
    sampler,
    models,
    embeddings: inventory.catalogue.embeddings,
    isOldTiming: options.use_old_scheduling ?? false,
    refuse: (refusal) => notes.refuse(refusal, "it is left out"),
    ...(options.emphasis && { emphasis: options.emphasis }),
    controls: controls.first,
    shownMaps: controls.shownMaps,
    ...(hires && { hires: { ...hires, controls: controls.second } }),
    ...(refiner && { refiner }),
  });
  const passes = hires ? [models, hires.models] : [models];
  const hashes = await readHashes(passes, graph, inventory);
  const title = (other: Models) => shortTitle(other, inventory);
  const answer = answerSdapi({
    request,
    common,
    hashes,
    width,
    height,
    denoisingStrength: hires ? hires.strength : null,
    shownMaps: controls.shownMaps.length,
    extraParameters: {
      ...controlParameters(controls.units),
      ...distilledParameters(models, request.extensions),
      ...(hires && hiresParameters({ request, hires, common, title })),
      ...hashes.networks,
      ...noiseParameters(sampler),
      ...(refiner && refinerParameters(fields, refiner, { isHires: hires !== undefined, title })),
      ...emphasisParameters(request, common),
    },
  });
  const [finalWidth, finalHeight] = hires?.size.final ?? [width, height];
  const finalSize = { width: finalWidth, height: finalHeight };
  return {
    graph,
    inputs: controls.inputs,
    ...gridOf(request, { pictures, batchSize: fields.batch_size, size: finalSize }),
    ...answer,
  };
}

/** A1111's second pass hides its own start in part then. */
function refuseMaskWeight({ options, notes }: SdapiRequest, { kind }: Models): void {
  if (kind === undefined || !isInpaintingModel(kind) || (options.inpainting_mask_weight ?? 1) === 1) return;
  const field = "override_settings.inpainting_mask_weight";
  notes.refuse(
    new EndpointError(
      "unsupported_feature",
      `${field}: hires fix with an inpainting checkpoint is only available with the weight 1; leave it out`,
      { details: { field } },
    ),
  );
}

/** Old clients' way to a second pass; without one it is not clear what they ask for. */
function refuseFirstSize({ fields, notes }: SdapiRequest<Txt2ImgFields>): void {
  if (fields.enable_hr) return;
  const sizes = ["firstphase_width", "firstphase_height"] as const;
  const size = sizes.find((name) => fields[name] !== 0);
  if (size !== undefined) notes.refuse(notAvailable(size));
}
