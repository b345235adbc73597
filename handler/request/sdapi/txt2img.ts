/** A1111's `POST /sdapi/v1/txt2img`. */
import { buildGeneration } from "../../../workflows/generation.ts";
import { answerSdapi } from "../../outputs/sdapi-response.ts";
import type { BuiltGraph, Inventory, Request } from "../request.ts";
import { floorToCells, readCommon } from "./common.ts";
import { emphasisParameters, hiresParameters, noiseParameters, refinerParameters } from "./extra-parameters.ts";
import type { Txt2ImgFields } from "./fields.ts";
import { gridOf } from "./grid.ts";
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
export function parseTxt2Img(given: unknown, worker: Partial<SdapiSettings> = {}): Request {
  const request = parseSdapi(TXT2IMG, given, worker);
  const { fields } = request;
  refuseFirstSize(request);
  const pictures = countPictures(fields.batch_size, fields.n_iter);
  return {
    kind: "sdapi/txt2img",
    delivery: deliveryOf(request),
    extraData: {},
    build: async (inventory) => build(duringBuild(request, inventory), pictures, inventory),
  };
}

function build(request: SdapiRequest<Txt2ImgFields>, pictures: number, { catalogue }: Inventory): BuiltGraph {
  const { fields, options, notes } = request;
  const common = readCommon(request, pictures, catalogue);
  const { sampler, models, refiner, prompts, seeds } = common;
  const hires = fields.enable_hr ? readHires(request, common, catalogue) : undefined;
  const [width, height] = hires?.size.first ?? [fields.width, fields.height];
  const graph = buildGeneration({
    prompts,
    seeds,
    steps: fields.steps,
    cfgScale: fields.cfg_scale,
    width: floorToCells(width),
    height: floorToCells(height),
    sampler,
    models,
    embeddings: catalogue.embeddings,
    isOldTiming: options.use_old_scheduling ?? false,
    refuse: (refusal) => notes.refuse(refusal, "it is left out"),
    ...(options.emphasis && { emphasis: options.emphasis }),
    ...(hires && { hires }),
    ...(refiner && { refiner }),
  });
  const answer = answerSdapi({
    request,
    common,
    width,
    height,
    denoisingStrength: hires ? hires.strength : null,
    extraParameters: {
      ...(hires && hiresParameters({ request, hires, common })),
      ...noiseParameters(sampler),
      ...(refiner && refinerParameters(fields, refiner, hires !== undefined)),
      ...emphasisParameters(request, common),
    },
  });
  const [finalWidth, finalHeight] = hires?.size.final ?? [width, height];
  const size = { width: finalWidth, height: finalHeight };
  return { graph, ...gridOf(request, { pictures, batchSize: fields.batch_size, size }), ...answer };
}

/** Old clients' way to a second pass; without one it is not clear what they ask for. */
function refuseFirstSize({ fields, notes }: SdapiRequest<Txt2ImgFields>): void {
  if (fields.enable_hr) return;
  const sizes = ["firstphase_width", "firstphase_height"] as const;
  const size = sizes.find((name) => fields[name] !== 0);
  if (size !== undefined) notes.refuse(notAvailable(size));
}
