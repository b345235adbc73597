/** A1111's `POST /sdapi/v1/extra-single-image` and `/extra-batch-images`. */
import { EndpointError } from "../../../runtime/errors.ts";
import { type InputFile, inputFile } from "../../../runtime/input-files.ts";
import { buildModelUpscales, type ModelUpscale } from "../../../workflows/model-upscale.ts";
import { findUpscaleModel, PLAIN_UPSCALERS } from "../../../workflows/upscalers.ts";
import { PythonFloat } from "../../infotext/python.ts";
import { encodeExtras, extrasArtifact, type UpscalingInfo, writeUpscaling } from "../../outputs/extras-response.ts";
import type { Artifact } from "../../outputs/output.ts";
import { encodePng, toRgb } from "../../pictures/raster.ts";
import { decodeRequestImage, type RequestImage, readRequestImages } from "../../pictures/request-image.ts";
import type { BuiltGraph, Delivered, Inventory, Made, Request } from "../request.ts";
import { type ExtrasFields, readBatch, readSingle, refuseUnavailable } from "./extras-fields.ts";
import { finishPicture, needsModel, type Plan, planPictures, type Upscaler } from "./extras-plan.ts";

const MAX_PICTURES = 100;

interface ExtrasRequest {
  fields: ExtrasFields;
  isBatch: boolean;
  /** Left to its default, the factor is written as another kind of number. */
  isFactorGiven: boolean;
  images: RequestImage[];
}

/** @throws EndpointError `invalid_request`, `unsupported_feature`. */
export function parseExtras(kind: "extra-single-image" | "extra-batch-images", given: unknown): Request {
  if (typeof given !== "object" || given === null || Array.isArray(given))
    throw new EndpointError("invalid_request", "value is not a valid dict");
  const request = readExtras(kind === "extra-batch-images", given as Record<string, unknown>);
  refuseUnavailable(request.fields);
  return {
    kind: `sdapi/${kind}`,
    delivery: { isInline: true },
    extraData: {},
    ...(!namesModel(request) && { make: (signal: AbortSignal) => make(request, signal) }),
    build: ({ catalogue }: Inventory) => build(request, catalogue.choices("UpscaleModelLoader", "model_name")),
  };
}

function readExtras(isBatch: boolean, given: Record<string, unknown>): ExtrasRequest {
  const isFactorGiven = given["upscaling_resize"] !== undefined;
  if (!isBatch) {
    const { fields, image } = readSingle(given);
    return { fields, isBatch, isFactorGiven, images: [{ field: "image", text: image }] };
  }
  const { fields, images } = readBatch(given);
  if (images.length > MAX_PICTURES)
    throw new EndpointError(
      "invalid_request",
      `imageList: ${images.length} pictures are more than the ${MAX_PICTURES} of one request`,
      { details: { field: "imageList" } },
    );
  const named = images.map((text, index) => ({ field: `imageList.${index}.data`, text }));
  return { fields, isBatch, isFactorGiven, images: named };
}

/** Fields whose upscaler A1111 looks up: the second one also where it will not be seen. */
function namedUpscalers({ fields, images }: ExtrasRequest): ("upscaler_1" | "upscaler_2")[] {
  if (images.length === 0 || fields.upscaler_1 === "None") return [];
  return fields.upscaler_2 === "None" ? ["upscaler_1"] : ["upscaler_1", "upscaler_2"];
}

const namesModel = (request: ExtrasRequest) =>
  namedUpscalers(request).some((field) => !PLAIN_UPSCALERS.includes(request.fields[field]));

interface Prepared {
  plans: Plan[];
  /** What is done, as A1111 writes it; empty where nothing is. */
  text: string;
}

async function prepare(request: ExtrasRequest, models: readonly string[]): Promise<Prepared> {
  const rasters = await readRequestImages(request.images);
  const upscalers = findUpscalers(request, models);
  const sources = rasters.map((raster) => (raster.channels === 4 ? raster : toRgb(raster)));
  return { plans: planPictures(request.fields, sources, upscalers), text: writeUpscaling(infoOf(request, upscalers)) };
}

/** Those that are seen in the result. @throws EndpointError `unknown_model`, `unsupported_feature`. */
function findUpscalers(request: ExtrasRequest, models: readonly string[]): Upscaler[] {
  const upscalers = namedUpscalers(request).map((field) => findUpscaler(field, request.fields[field], models));
  return request.fields.extras_upscaler_2_visibility > 0 ? upscalers : upscalers.slice(0, 1);
}

function findUpscaler(field: string, name: string, models: readonly string[]): Upscaler {
  if (name === "Lanczos") return { name, kind: "plain", method: "lanczos" };
  if (name === "Nearest") return { name, kind: "plain", method: "nearest" };
  const model = findUpscaleModel(field, name, models);
  return { name: model.name, kind: "model", model };
}

function infoOf({ fields, isFactorGiven }: ExtrasRequest, [first, second]: readonly Upscaler[]): UpscalingInfo {
  if (first === undefined) return {};
  const size = `${fields.upscaling_resize_w}x${fields.upscaling_resize_h}`;
  const factor = isFactorGiven ? new PythonFloat(fields.upscaling_resize) : fields.upscaling_resize;
  return {
    ...(fields.resize_mode === 0 && { "Postprocess upscale by": factor }),
    ...(fields.resize_mode === 1 && { "Postprocess upscale to": size }),
    ...(fields.resize_mode === 1 && fields.upscaling_crop && { "Postprocess crop to": size }),
    "Postprocess upscaler": first.name,
    ...(second && { "Postprocess upscaler 2": second.name }),
  };
}

async function make(request: ExtrasRequest, signal: AbortSignal): Promise<Made> {
  const prepared = await prepare(request, []);
  return { artifacts: await finish(request, prepared, [], signal), encode: encoder(request, prepared) };
}

async function build(request: ExtrasRequest, models: readonly string[]): Promise<BuiltGraph | Made> {
  const prepared = await prepare(request, models);
  const upscales: ModelUpscale[] = [];
  const inputs: InputFile[] = [];
  for (const { source, branches } of prepared.plans) {
    const large = branches.filter(needsModel);
    if (large.length === 0) continue;
    const input = inputFile(await encodePng(toRgb(source)));
    inputs.push(input);
    for (const branch of large) upscales.push({ image: input.name, model: branch.upscaler.model, enlargement: branch });
  }
  const encode = encoder(request, prepared);
  // Named, and yet not needed: for what becomes smaller, or is not seen.
  if (upscales.length === 0) return { artifacts: await finish(request, prepared, []), encode };
  return {
    graph: buildModelUpscales(upscales),
    inputs,
    finish: (artifacts) => finish(request, prepared, artifacts),
    encode,
  };
}

/** @param enlarged ComfyUI's pictures, in the order of the plans' branches that need a model. */
async function finish(
  { images }: ExtrasRequest,
  { plans, text }: Prepared,
  enlarged: readonly Artifact[],
  signal?: AbortSignal,
): Promise<Artifact[]> {
  const rest = enlarged.values();
  const takeEnlarged = () => {
    const { value } = rest.next();
    if (value) return value.bytes;
    throw new EndpointError("no_outputs", `${enlarged.length} enlarged pictures came, and more were due`);
  };
  const artifacts: Artifact[] = [];
  for (const [index, plan] of plans.entries()) {
    signal?.throwIfAborted();
    const png = await finishPicture(plan, takeEnlarged);
    artifacts.push(extrasArtifact(index, png, decodeRequestImage(images[index]!), text));
  }
  return artifacts;
}

const encoder =
  ({ isBatch }: ExtrasRequest, { text }: Prepared) =>
  (done: Delivered) =>
    encodeExtras(text, isBatch, done);
