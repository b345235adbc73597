/** A1111's `POST /sdapi/v1/txt2img`. */
import { buildGeneration } from "../../../workflows/generation.ts";
import { answerSdapi } from "../../outputs/sdapi-response.ts";
import type { BuiltGraph, Inventory, Request } from "../request.ts";
import { floorToCells, readCommon } from "./common.ts";
import { readControls } from "./controlnet/controls.ts";
import { controlParameters } from "./controlnet/infotext.ts";
import { hiresParameters, noiseParameters, refinerParameters } from "./extra-parameters.ts";
import type { Txt2ImgFields } from "./fields.ts";
import { readHires } from "./hires.ts";
import { countPictures, deliveryOf, notAvailable, parseSdapi, type SdapiRequest, TXT2IMG } from "./parse.ts";

/**
 * @param workerOptions A1111's options that hold where the request has none.
 * @throws EndpointError `invalid_request`, `unsupported_feature`.
 */
export function parseTxt2Img(given: unknown, workerOptions: Readonly<Record<string, unknown>> = {}): Request {
  const request = parseSdapi(TXT2IMG, given, workerOptions);
  const { fields } = request;
  refuseFirstSize(fields);
  const pictures = countPictures(fields.batch_size, fields.n_iter);
  return {
    kind: "sdapi/txt2img",
    delivery: deliveryOf(request),
    extraData: {},
    build: async (inventory) => build(request, pictures, inventory),
  };
}

async function build(
  request: SdapiRequest<Txt2ImgFields>,
  pictures: number,
  { catalogue }: Inventory,
): Promise<BuiltGraph> {
  const { fields, options, controlUnits } = request;
  const common = readCommon(request, pictures, catalogue);
  const { sampler, models, refiner, prompts, seeds } = common;
  const hires = fields.enable_hr ? readHires(request, common, catalogue) : undefined;
  const [width, height] = hires?.size.first ?? [fields.width, fields.height];
  const size = { width: floorToCells(width), height: floorToCells(height) };
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
    ...size,
    sampler,
    models,
    embeddings: catalogue.embeddings,
    isOldTiming: options.use_old_scheduling ?? false,
    controls: controls.first,
    shownMaps: controls.shownMaps,
    ...(hires && { hires: { ...hires, controls: controls.second } }),
    ...(refiner && { refiner }),
  });
  const answer = answerSdapi({
    request,
    common,
    width,
    height,
    denoisingStrength: hires ? hires.strength : null,
    shownMaps: controls.shownMaps.length,
    warnings: controls.warnings,
    extraParameters: {
      ...controlParameters(controlUnits),
      ...(hires && hiresParameters({ fields, hires, sampler, checkpoint: models.checkpoint })),
      ...noiseParameters(sampler),
      ...(refiner && refinerParameters(fields, refiner, hires !== undefined)),
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
