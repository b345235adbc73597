/** A1111's `POST /sdapi/v1/txt2img`. */
import { EndpointError } from "../../../runtime/errors.ts";
import { isInpaintingModel } from "../../../workflows/model-family.ts";
import type { Models } from "../../../workflows/models.ts";
import { notAvailable } from "../field-errors.ts";
import type { BuiltGraph, GraphRequest, Inventory } from "../request.ts";
import { floorToMultiple, readCommon } from "./common.ts";
import { draw } from "./drawing.ts";
import { hiresParameters } from "./extra-parameters.ts";
import type { Txt2ImgFields } from "./fields.ts";
import { gridOf } from "./grid.ts";
import { readHires } from "./hires.ts";
import { countPictures, deliveryOf, duringBuild, parseSdapi, type SdapiRequest, TXT2IMG } from "./parse.ts";
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
  const { fields } = request;
  const common = await readCommon(request, pictures, inventory);
  const { models } = common;
  const hires = fields.enable_hr ? await readHires(request, common, inventory) : undefined;
  if (hires) refuseMaskWeight(request, hires.models);
  const [width, height] = hires?.size.first ?? [fields.width, fields.height];
  const [finalWidth, finalHeight] = hires?.size.final ?? [width, height];
  const finalSize = { width: finalWidth, height: finalHeight };
  const { shownMaps: _, ...drawn } = await draw(
    {
      request,
      common,
      size: { width: floorToMultiple(width, models), height: floorToMultiple(height, models) },
      asked: { width, height },
      ...(hires && { hires }),
      denoisingStrength: hires ? hires.strength : null,
      parameters: (title) => (hires ? hiresParameters({ request, hires, common, title }) : {}),
    },
    inventory,
  );
  return { ...drawn, ...gridOf(request, { pictures, batchSize: fields.batch_size, size: finalSize }) };
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
  if (size !== undefined) notes.refuse(notAvailable(size, "a first size without enable_hr is not available"));
}
