/** What becomes of each picture of an extras request, as A1111's scripts/postprocessing_upscale.py does it. */
import { EndpointError } from "../../../runtime/errors.ts";
import {
  type Enlargement,
  enlargement,
  modelEnlargement,
  type UpscaleModel,
  USUAL_SCALE,
} from "../../../workflows/upscalers.ts";
import { decodeRaster, encodePng, type Raster, type Size } from "../../pictures/raster.ts";
import { blend, cropCentred, resizeLanczos, upscalePlain } from "../../pictures/upscale.ts";
import type { ExtrasFields } from "./extras-fields.ts";

/** Of a result and of what is made on the way to it. */
const MAX_SIDE = 16_384;
const MAX_PIXELS = 2 ** 26;
/** Of all results of one request. */
const MAX_PIXELS_TOGETHER = 2 ** 27;

export type Upscaler = { name: string } & (
  | { kind: "plain"; method: "lanczos" | "nearest" }
  | { kind: "model"; model: UpscaleModel }
);

/** One upscaler's way with one picture. */
export interface Branch extends Enlargement {
  upscaler: Upscaler;
  scale: number;
}

export interface Plan {
  source: Raster;
  /** None: the picture stays as it is. Two: the second is blended over the first. */
  branches: readonly Branch[];
  crop?: Size;
  visibility: number;
}

/**
 * @param upscalers those that are seen in the result.
 * @throws EndpointError `invalid_request` for results that are too large, or that have no pixel.
 */
export function planPictures(fields: ExtrasFields, sources: readonly Raster[], upscalers: readonly Upscaler[]): Plan[] {
  const plans = sources.map((source) => planPicture(fields, source, upscalers));
  let pixels = 0;
  for (const { source, branches, crop } of plans) {
    for (const branch of branches) checkBranch(fields, source, branch);
    if (crop) checkSize(fields, crop, `a picture of ${nameOf(crop)} was asked for`);
    const { width, height } = crop ?? branches[0] ?? source;
    pixels += width * height;
  }
  if (pixels <= MAX_PIXELS_TOGETHER) return plans;
  throw badSize(
    fields,
    `the results have ${pixels} pixels together, more than the ${MAX_PIXELS_TOGETHER} of one request`,
  );
}

function planPicture(fields: ExtrasFields, source: Raster, upscalers: readonly Upscaler[]): Plan {
  const { upscaling_resize_w: width, upscaling_resize_h: height } = fields;
  const isToSize = fields.resize_mode === 1;
  const scale = isToSize ? Math.max(width / source.width, height / source.height) : fields.upscaling_resize;
  const branches = upscalers.map((upscaler) => ({
    upscaler,
    scale,
    ...(upscaler.kind === "model"
      ? modelEnlargement(source.width, source.height, scale, upscaler.model)
      : enlargement(source.width, source.height, scale, scale)),
  }));
  const isCropped = isToSize && fields.upscaling_crop && branches.length > 0;
  return {
    source,
    branches,
    visibility: fields.extras_upscaler_2_visibility,
    ...(isCropped && { crop: { width, height } }),
  };
}

function checkBranch(fields: ExtrasFields, source: Raster, branch: Branch): void {
  const { upscaler, scale, width, height, runs } = branch;
  const from = `a picture of ${nameOf(source)}`;
  if (width === 0 || height === 0) throw badSize(fields, `${from} would have no pixel left; sides are multiples of 8`);
  const factor =
    upscaler.kind === "model" ? (upscaler.model.factor ?? USUAL_SCALE) ** runs : scale ** Math.min(runs, 1);
  const made = { width: Math.trunc(source.width * factor), height: Math.trunc(source.height * factor) };
  for (const size of [made, { width, height }])
    checkSize(fields, size, `${from} would grow to ${nameOf(size)} by ${upscaler.name}`);
}

function checkSize(fields: ExtrasFields, { width, height }: Size, what: string): void {
  if (Math.max(width, height) <= MAX_SIDE && width * height <= MAX_PIXELS) return;
  throw badSize(fields, `${what}, more than ${MAX_SIDE} pixels a side or ${MAX_PIXELS} in all`);
}

const nameOf = ({ width, height }: Size) => `${width}x${height}`;

function badSize(fields: ExtrasFields, message: string): EndpointError {
  const field = fields.resize_mode === 1 ? "upscaling_resize_w, upscaling_resize_h" : "upscaling_resize";
  return new EndpointError("invalid_request", `${field}: ${message}`, { details: { field } });
}

/** Whether ComfyUI has to run a model for it. */
export const needsModel = (branch: Branch): branch is Branch & { upscaler: { kind: "model"; model: UpscaleModel } } =>
  branch.upscaler.kind === "model" && branch.runs > 0;

/**
 * The result as a PNG file.
 * @param takeEnlarged gives the files that ComfyUI made of this picture, in the order of the branches that need a model.
 */
export async function finishPicture(plan: Plan, takeEnlarged: () => Buffer): Promise<Buffer> {
  const { source, branches, crop, visibility } = plan;
  const [first, second] = branches;
  if (first === undefined) return encodePng(source);
  if (second === undefined && crop === undefined && needsModel(first)) return takeEnlarged();
  const finish = async (branch: Branch) => {
    const larger = await enlarge(source, branch, takeEnlarged);
    return crop ? cropCentred(larger, crop) : larger;
  };
  const result = await finish(first);
  return encodePng(second ? await blend(result, await finish(second), visibility) : result);
}

async function enlarge(source: Raster, branch: Branch, takeEnlarged: () => Buffer): Promise<Raster> {
  const { upscaler, scale, width, height } = branch;
  if (upscaler.kind === "plain") return upscalePlain(source, upscaler.method, scale);
  return needsModel(branch) ? decodeRaster(takeEnlarged()) : resizeLanczos(source, { width, height });
}
