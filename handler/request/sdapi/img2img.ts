/** A1111's `POST /sdapi/v1/img2img`. */
import type { Catalogue } from "../../../runtime/comfyui/catalogue.ts";
import { EndpointError } from "../../../runtime/errors.ts";
import { inputFile } from "../../../runtime/input-files.ts";
import { isInpaintingModel } from "../../../workflows/model-family.ts";
import type { Models } from "../../../workflows/models.ts";
import type { ResolvedSampler } from "../../../workflows/sampler-names.ts";
import type { SoftInpainting } from "../../../workflows/soft-inpainting.ts";
import type { StartMask, StartPictures } from "../../../workflows/start-pictures.ts";
import { LATENT_UPSCALE, type PreparedPictures, prepareInpaint } from "../../pictures/inpaint.ts";
import { decodeRaster, encodePng, isSameSize, type Raster } from "../../pictures/raster.ts";
import { readRequestImages } from "../../pictures/request-image.ts";
import { invalidField } from "../field-errors.ts";
import type { BuiltGraph, GraphRequest, Inventory } from "../request.ts";
import { type Common, readCommon } from "./common.ts";
import type { Start as ControlStart } from "./controlnet/pictures.ts";
import { draw } from "./drawing.ts";
import type { Img2ImgFields } from "./fields.ts";
import { gridOf } from "./grid.ts";
import type { Notes } from "./notes.ts";
import {
  checkScheduleLength,
  countPictures,
  deliveryOf,
  duringBuild,
  IMG2IMG,
  parseSdapi,
  type SdapiRequest,
} from "./parse.ts";
import type { SdapiSettings } from "./settings.ts";
import { checkSoftInpainting, readSoftInpainting, softParameters } from "./soft-inpainting.ts";

/** Of `inpainting_fill`; the first fills with the colours around the mask, which is done to the picture. */
const CONTENTS = ["picture", "picture", "latent noise", "latent nothing"] as const satisfies StartMask["content"][];

/**
 * @param worker what holds where the request says nothing.
 * @throws EndpointError `invalid_request`, `unsupported_feature`, `not_found` when there is no picture to start from.
 */
export function parseImg2Img(given: unknown, worker: Partial<SdapiSettings> = {}): GraphRequest {
  const request = parseSdapi(IMG2IMG, given, worker);
  const { fields, options } = request;
  const images = initImagesOf(fields);
  if (options.img2img_fix_steps) checkScheduleLength(fields.steps, fields.denoising_strength);
  refuseSmallStretch(fields);
  // Several pictures are a batch: one is drawn from each.
  const batchSize = images.length > 1 ? images.length : fields.batch_size;
  const pictures = countPictures(batchSize, fields.n_iter);
  // Read and prepared once, though a graph may be built twice.
  let prepared: Promise<Prepared> | undefined;
  return {
    kind: "sdapi/img2img",
    delivery: deliveryOf(request),
    extraData: {},
    build: async (inventory) => {
      const prepare = (isSoft: boolean) => (prepared ??= preparePictures(request, images, isSoft));
      return build(duringBuild(request, inventory), { pictures, batchSize, prepare }, inventory);
    },
  };
}

interface Prepared {
  prepared: PreparedPictures;
  /** For ControlNet units without a picture. */
  start: ControlStart;
}

/** @param isSoft whether grey parts of the mask are kept in part. */
async function preparePictures(
  { fields, options }: SdapiRequest<Img2ImgFields>,
  images: readonly string[],
  isSoft: boolean,
): Promise<Prepared> {
  const initImages = images.map((text, index) => ({ field: `init_images.${index}`, text }));
  const maskImage = fields.mask === null ? [] : [{ field: "mask", text: fields.mask }];
  const rasters = await readRequestImages([...initImages, ...maskImage]);
  const [first] = rasters;
  const mask = rasters[images.length];
  const prepared = await prepareInpaint({
    pictures: rasters.slice(0, images.length),
    mask,
    width: fields.width,
    height: fields.height,
    resizeMode: fields.resize_mode,
    maskBlurX: fields.mask_blur ?? fields.mask_blur_x,
    maskBlurY: fields.mask_blur ?? fields.mask_blur_y,
    invert: fields.inpainting_mask_invert !== 0,
    fullRes: fields.inpaint_full_res,
    padding: fields.inpaint_full_res_padding,
    fill: fields.inpainting_fill,
    maskRound: fields.mask_round && !isSoft,
    background: options.img2img_background_color,
  });
  const { region } = prepared;
  if (isSoft && region === undefined) refuseOtherSize(fields, rasters.slice(0, images.length));
  const masked = mask && region && { region, mask: { width: mask.width, height: mask.height } };
  return {
    prepared,
    start: { picture: first!, resizeMode: fields.resize_mode, ...(masked && { masked }) },
  };
}

/** ComfyUI stretches no latent to less. */
const MIN_STRETCHED = 64;

function refuseSmallStretch({ resize_mode, width, height }: Img2ImgFields): void {
  if (resize_mode !== LATENT_UPSCALE || Math.min(width, height) >= MIN_STRETCHED) return;
  const field = width < height ? "width" : "height";
  throw invalidField(field, `must be at least ${MIN_STRETCHED} with resize_mode ${LATENT_UPSCALE}`);
}

/** What shows is seen in the size that was asked for, and laid into the picture as it came. */
function refuseOtherSize(fields: Img2ImgFields, pictures: readonly Raster[]): void {
  if (fields.resize_mode !== LATENT_UPSCALE || pictures.every((picture) => isSameSize(picture, fields))) return;
  throw otherSize(fields, "soft inpainting");
}

const otherSize = ({ resize_mode, width, height }: Img2ImgFields, what: string) =>
  invalidField(
    "resize_mode",
    `${resize_mode} with ${what} needs a picture of ${width}x${height}; A1111 fails on it too`,
  );

/** A1111's own words where there is none. */
function initImagesOf({ init_images: images, batch_size: most }: Img2ImgFields): string[] {
  if (images === null) throw new EndpointError("not_found", "Init image not found");
  if (images.length === 0) throw invalidField("init_images", "there is no picture in the list");
  if (images.length > Math.max(1, most))
    throw invalidField("init_images", `bad number of images passed: ${images.length}; expecting ${most} or less`);
  return images;
}

const isForInpainting = ({ kind }: Models) => kind !== undefined && isInpaintingModel(kind);

interface Batch {
  pictures: number;
  batchSize: number;
  prepare(isSoft: boolean): Promise<Prepared>;
}

async function build(
  request: SdapiRequest<Img2ImgFields>,
  { pictures, batchSize, prepare }: Batch,
  inventory: Inventory,
): Promise<BuiltGraph> {
  const { fields, options, notes } = request;
  const asked = await readCommon(request, pictures, inventory);
  const soft = softInpaintingOf(request, asked.sampler, inventory.catalogue);
  const common = fields.mask !== null && soft === undefined ? withoutRefiner(asked, notes) : asked;
  const { models, noiseMultiplier } = common;
  const { prepared, start: controlStart } = await prepare(soft !== undefined);
  for (const note of prepared.notes) notes.add(note);
  const files = await Promise.all(prepared.pictures.map(async (picture) => inputFile(await encodePng(picture))));
  const mask = prepared.mask && inputFile(await encodePng(prepared.mask));
  const imageMask = prepared.imageMask && inputFile(await encodePng(prepared.imageMask));
  const { size } = prepared;
  if (isForInpainting(models) && prepared.pictures.some((picture) => !isSameSize(picture, size)))
    throw otherSize(fields, "an inpainting checkpoint");
  const start: StartPictures = {
    files: files.map(({ name }) => name),
    batchSize,
    strength: fields.denoising_strength,
    isFixedSteps: options.img2img_fix_steps ?? false,
    size,
    isStretched: fields.resize_mode === LATENT_UPSCALE,
    conditioning: {
      ...(imageMask && { mask: imageMask.name }),
      weight: options.inpainting_mask_weight ?? 1,
    },
    ...(mask && {
      mask: {
        file: mask.name,
        content: CONTENTS[fields.inpainting_fill] ?? "picture",
        ...(soft && { soft }),
      },
    }),
  };
  const { inputs, shownMaps, ...drawn } = await draw(
    {
      request,
      common,
      size,
      asked: { width: fields.width, height: fields.height },
      start,
      controlStart,
      denoisingStrength: fields.denoising_strength,
      scriptParameters: soft ? softParameters(soft) : {},
      parameters: () => ({
        "Denoising strength": fields.denoising_strength,
        ...(noiseMultiplier !== 1 && { "Noise multiplier": noiseMultiplier }),
        ...prepared.infotext,
      }),
    },
    inventory,
  );
  const isSoft = soft !== undefined && mask !== undefined;
  const shown = pictures + shownMaps;
  // After the pictures come maps of ControlNets, and then the masks of soft inpainting, which nobody gets.
  const retouch = async (made: readonly Buffer[], index: number) => {
    const picture = made[index]!;
    if (index >= pictures) return picture;
    const changed = isSoft ? await decodeRaster(made[shown + index]!) : undefined;
    return encodePng(prepared.restore(await decodeRaster(picture), index % batchSize, changed));
  };
  const isLaidBack = isSoft || (mask !== undefined && options.overlay_inpaint !== false);
  const { compose = async (made) => made } = gridOf(request, { pictures, batchSize, size });
  return {
    ...drawn,
    inputs: [...files, ...[mask, imageMask].filter((file) => file !== undefined), ...inputs],
    ...(isLaidBack && { retouch }),
    compose: (made) => compose(made.slice(0, shown)),
  };
}

/** Where a second model takes over, ComfyUI would keep what is masked as it is by then: with its noise. */
function withoutRefiner(common: Common, notes: Notes): Common {
  if (common.refiner === undefined) return common;
  const message = "refiner_checkpoint: a refiner is not available with a mask, except for soft inpainting";
  notes.refuse(
    new EndpointError("unsupported_feature", message, { details: { field: "refiner_checkpoint" } }),
    "there is no refiner",
  );
  return { ...common, refiner: undefined };
}

/** As asked for; nothing where lenient mode leaves it aside. */
function softInpaintingOf(
  { fields, notes }: SdapiRequest<Img2ImgFields>,
  sampler: ResolvedSampler,
  catalogue: Catalogue,
): SoftInpainting | undefined {
  const soft = readSoftInpainting(fields);
  if (soft === undefined) return undefined;
  const check = () => {
    checkSoftInpainting(sampler, catalogue);
    return soft;
  };
  return notes.orElse(
    check,
    () => undefined,
    () => "the mask counts as without it",
  );
}
