/** A1111's `POST /sdapi/v1/img2img`. */
import { EndpointError } from "../../../runtime/errors.ts";
import { inputFile } from "../../../runtime/input-files.ts";
import { buildGeneration } from "../../../workflows/generation.ts";
import { isInpaintingModel } from "../../../workflows/model-family.ts";
import type { Models } from "../../../workflows/models.ts";
import type { StartMask, StartPictures } from "../../../workflows/start-pictures.ts";
import { answerSdapi } from "../../outputs/sdapi-response.ts";
import { LATENT_UPSCALE, type PreparedPictures, prepareInpaint } from "../../pictures/inpaint.ts";
import { decodeRaster, encodePng } from "../../pictures/raster.ts";
import { readRequestImages } from "../../pictures/request-image.ts";
import { invalidField } from "../field-errors.ts";
import type { BuiltGraph, GraphRequest, Inventory } from "../request.ts";
import { distilled, readCommon } from "./common.ts";
import { readControls } from "./controlnet/controls.ts";
import { controlParameters } from "./controlnet/infotext.ts";
import type { Start as ControlStart } from "./controlnet/pictures.ts";
import { distilledParameters, emphasisParameters, refinerParameters } from "./extra-parameters.ts";
import type { Img2ImgFields } from "./fields.ts";
import { gridOf } from "./grid.ts";
import { readHashes, shortTitle } from "./hashes.ts";
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
      prepared ??= preparePictures(fields, images);
      return build(duringBuild(request, inventory), { pictures, batchSize }, await prepared, inventory);
    },
  };
}

interface Prepared {
  prepared: PreparedPictures;
  /** For ControlNet units without a picture. */
  start: ControlStart;
}

async function preparePictures(fields: Img2ImgFields, images: readonly string[]): Promise<Prepared> {
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
    maskRound: fields.mask_round,
  });
  const { region } = prepared;
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

/** A1111's own words where there is none. */
function initImagesOf({ init_images: images, batch_size: most }: Img2ImgFields): string[] {
  if (images === null) throw new EndpointError("not_found", "Init image not found");
  if (images.length === 0) throw invalidField("init_images", "there is no picture in the list");
  if (images.length > Math.max(1, most))
    throw invalidField("init_images", `bad number of images passed: ${images.length}; expecting ${most} or less`);
  return images;
}

async function build(
  request: SdapiRequest<Img2ImgFields>,
  { pictures, batchSize }: { pictures: number; batchSize: number },
  { prepared, start: controlStart }: Prepared,
  inventory: Inventory,
): Promise<BuiltGraph> {
  const { fields, options, controlUnits, notes } = request;
  const { catalogue } = inventory;
  for (const note of prepared.notes) notes.add(note);
  const common = await readCommon(request, pictures, inventory);
  const { sampler, models, refiner, prompts, noises, noiseMultiplier } = common;
  const files = await Promise.all(prepared.pictures.map(async (picture) => inputFile(await encodePng(picture))));
  const mask = prepared.mask && inputFile(await encodePng(prepared.mask));
  const { size } = prepared;
  const start: StartPictures = {
    files: files.map(({ name }) => name),
    batchSize,
    strength: fields.denoising_strength,
    isFixedSteps: options.img2img_fix_steps ?? false,
    size,
    isStretched: fields.resize_mode === LATENT_UPSCALE,
    ...(mask && {
      mask: {
        file: mask.name,
        content: CONTENTS[fields.inpainting_fill] ?? "picture",
        isInpaintingModel: models.kind !== undefined && isInpaintingModel(models.kind),
        isSoft: false,
      },
    }),
  };
  const controls = await readControls(
    controlUnits,
    { first: size, start: controlStart, isRefined: refiner !== undefined },
    catalogue,
  );
  for (const warning of controls.warnings) notes.add(warning);
  const graph = buildGeneration({
    prompts,
    noises,
    steps: fields.steps,
    cfgScale: fields.cfg_scale,
    ...distilled(request),
    ...size,
    askedSize: [fields.width, fields.height],
    sampler,
    models,
    embeddings: inventory.catalogue.embeddings,
    isOldTiming: options.use_old_scheduling ?? false,
    refuse: (refusal) => notes.refuse(refusal, "it is left out"),
    ...(options.emphasis && { emphasis: options.emphasis }),
    start,
    controls: controls.first,
    shownMaps: controls.shownMaps,
    ...(refiner && { refiner }),
  });
  const hashes = await readHashes([models], graph, inventory);
  const title = (other: Models) => shortTitle(other, inventory);
  const answer = answerSdapi({
    request,
    common,
    hashes,
    width: fields.width,
    height: fields.height,
    denoisingStrength: fields.denoising_strength,
    shownMaps: controls.shownMaps.length,
    extraParameters: {
      ...controlParameters(controlUnits),
      "Denoising strength": fields.denoising_strength,
      ...(noiseMultiplier !== 1 && { "Noise multiplier": noiseMultiplier }),
      ...distilledParameters(models, request.extensions),
      ...prepared.infotext,
      ...hashes.networks,
      ...(refiner && refinerParameters(fields, refiner, { isHires: false, title })),
      ...emphasisParameters(request, common),
    },
  });
  // Maps of ControlNets come after the pictures.
  const retouch = async (picture: Buffer, index: number) =>
    index >= pictures ? picture : encodePng(prepared.restore(await decodeRaster(picture), index % batchSize));
  const isLaidBack = mask !== undefined && options.overlay_inpaint !== false;
  return {
    graph,
    inputs: [...files, ...(mask ? [mask] : []), ...controls.inputs],
    ...(isLaidBack && { retouch }),
    ...gridOf(request, { pictures, batchSize, size }),
    ...answer,
  };
}
