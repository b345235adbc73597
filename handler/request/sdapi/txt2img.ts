/** A1111's `POST /sdapi/v1/txt2img`. */
import { buildGeneration } from "../../../workflows/generation.ts";
import type { Models } from "../../../workflows/models.ts";
import { answerSdapi } from "../../outputs/sdapi-response.ts";
import type { BuiltGraph, GraphRequest, Inventory } from "../request.ts";
import { distilled, floorToMultiple, readCommon } from "./common.ts";
import { readControls } from "./controlnet/controls.ts";
import { controlParameters } from "./controlnet/infotext.ts";
import { distilledParameters, hiresParameters, noiseParameters, refinerParameters } from "./extra-parameters.ts";
import type { Txt2ImgFields } from "./fields.ts";
import { readHashes, shortTitle } from "./hashes.ts";
import { readHires } from "./hires.ts";
import { countPictures, deliveryOf, notAvailable, parseSdapi, type SdapiRequest, TXT2IMG } from "./parse.ts";

/**
 * @param workerOptions A1111's options that hold where the request has none.
 * @throws EndpointError `invalid_request`, `unsupported_feature`.
 */
export function parseTxt2Img(given: unknown, workerOptions: Readonly<Record<string, unknown>> = {}): GraphRequest {
  const request = parseSdapi(TXT2IMG, given, workerOptions);
  const { fields } = request;
  refuseFirstSize(fields);
  const pictures = countPictures(fields.batch_size, fields.n_iter);
  return {
    kind: "sdapi/txt2img",
    delivery: deliveryOf(request),
    extraData: {},
    build: (inventory) => build(request, pictures, inventory),
  };
}

async function build(
  request: SdapiRequest<Txt2ImgFields>,
  pictures: number,
  inventory: Inventory,
): Promise<BuiltGraph> {
  const { fields, options, controlUnits } = request;
  const { catalogue } = inventory;
  const common = await readCommon(request, pictures, inventory);
  const { sampler, models, refiner, prompts, seeds } = common;
  const hires = fields.enable_hr ? await readHires(request, common, inventory) : undefined;
  const [width, height] = hires?.size.first ?? [fields.width, fields.height];
  const size = { width: floorToMultiple(width, models), height: floorToMultiple(height, models) };
  const controls = await readControls(
    controlUnits,
    {
      first: size,
      ...(hires && { second: { width: hires.size.final[0], height: hires.size.final[1] } }),
      isRefined: refiner !== undefined,
    },
    catalogue,
  );
  const graph = buildGeneration({
    prompts,
    seeds,
    steps: fields.steps,
    cfgScale: fields.cfg_scale,
    ...distilled(request),
    ...size,
    askedSize: [width, height],
    sampler,
    models,
    embeddings: inventory.catalogue.embeddings,
    isOldTiming: options.use_old_scheduling ?? false,
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
    warnings: controls.warnings,
    extraParameters: {
      ...controlParameters(controlUnits),
      ...distilledParameters(models, request.extensions),
      ...(hires && hiresParameters({ fields, hires, sampler, checkpoint: models.checkpoint, title })),
      ...hashes.networks,
      ...noiseParameters(sampler),
      ...(refiner && refinerParameters(fields, refiner, { isHires: hires !== undefined, title })),
    },
  });
  return { graph, inputs: controls.inputs, ...answer };
}

/** Old clients' way to a second pass; without one it is not clear what they ask for. */
function refuseFirstSize(fields: Txt2ImgFields): void {
  if (fields.enable_hr) return;
  const sizes = ["firstphase_width", "firstphase_height"] as const;
  const size = sizes.find((name) => fields[name] !== 0);
  if (size !== undefined) throw notAvailable(size);
}
