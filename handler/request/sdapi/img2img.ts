/** A1111's `POST /sdapi/v1/img2img`. */
import { EndpointError } from "../../../runtime/errors.ts";
import { inputFile } from "../../../runtime/input-files.ts";
import { buildGeneration } from "../../../workflows/generation.ts";
import type { StartMask, StartPictures } from "../../../workflows/start-pictures.ts";
import { answerSdapi } from "../../outputs/sdapi-response.ts";
import { LATENT_UPSCALE, type PreparedPictures, prepareInpaint } from "../../pictures/inpaint.ts";
import { decodeRaster, encodePng } from "../../pictures/raster.ts";
import { readRequestImages } from "../../pictures/request-image.ts";
import { invalidField } from "../field-errors.ts";
import type { BuiltGraph, Inventory, Request } from "../request.ts";
import { readCommon } from "./common.ts";
import { emphasisParameters, noiseParameters, refinerParameters } from "./extra-parameters.ts";
import type { Img2ImgFields } from "./fields.ts";
import { gridOf } from "./grid.ts";
import { countPictures, deliveryOf, duringBuild, IMG2IMG, parseSdapi, type SdapiRequest } from "./parse.ts";
import type { SdapiSettings } from "./settings.ts";

/** Of `inpainting_fill`; the first fills with the colours around the mask, which is done to the picture. */
const CONTENTS = ["picture", "picture", "latent noise", "latent nothing"] as const satisfies StartMask["content"][];

/**
 * @param worker what holds where the request says nothing.
 * @throws EndpointError `invalid_request`, `unsupported_feature`, `not_found` when there is no picture to start from.
 */
export function parseImg2Img(given: unknown, worker: Partial<SdapiSettings> = {}): Request {
  const request = parseSdapi(IMG2IMG, given, worker);
  const { fields } = request;
  const images = initImagesOf(fields);
  refuseSmallStretch(fields);
  // Several pictures are a batch: one is drawn from each.
  const batchSize = images.length > 1 ? images.length : fields.batch_size;
  const pictures = countPictures(batchSize, fields.n_iter);
  // Read and prepared once, though a graph may be built twice.
  let prepared: Promise<PreparedPictures> | undefined;
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

async function preparePictures(fields: Img2ImgFields, images: readonly string[]): Promise<PreparedPictures> {
  const initImages = images.map((text, index) => ({ field: `init_images.${index}`, text }));
  const maskImage = fields.mask === null ? [] : [{ field: "mask", text: fields.mask }];
  const rasters = await readRequestImages([...initImages, ...maskImage]);
  return prepareInpaint({
    pictures: rasters.slice(0, images.length),
    mask: rasters[images.length],
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
  if (images === null)
    throw new EndpointError("not_found", "Init image not found", { details: { field: "init_images" } });
  if (images.length === 0) throw invalidField("init_images", "there is no picture in the list");
  if (images.length > Math.max(1, most))
    throw invalidField("init_images", `bad number of images passed: ${images.length}; expecting ${most} or less`);
  return images;
}

async function build(
  request: SdapiRequest<Img2ImgFields>,
  { pictures, batchSize }: { pictures: number; batchSize: number },
  prepared: PreparedPictures,
  { catalogue }: Inventory,
): Promise<BuiltGraph> {
  const { fields, options, notes } = request;
  for (const note of prepared.notes) notes.add(note);
  const common = readCommon(request, pictures, catalogue);
  const { sampler, models, refiner, prompts, seeds } = common;
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
        content: CONTENTS[fields.inpainting_fill]!,
        isInpaintingModel: false,
        isSoft: false,
      },
    }),
  };
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
    refuse: (refusal) => notes.refuse(refusal, "it is left out"),
    ...(options.emphasis && { emphasis: options.emphasis }),
    start,
    ...(refiner && { refiner }),
  });
  const answer = answerSdapi({
    request,
    common,
    width: fields.width,
    height: fields.height,
    denoisingStrength: fields.denoising_strength,
    extraParameters: {
      "Denoising strength": fields.denoising_strength,
      ...prepared.infotext,
      ...noiseParameters(sampler),
      ...(refiner && refinerParameters(fields, refiner, false)),
      ...emphasisParameters(request, common),
    },
  });
  const retouch = async (picture: Buffer, index: number) =>
    encodePng(prepared.restore(await decodeRaster(picture), index % batchSize));
  const isLaidBack = mask !== undefined && options.overlay_inpaint !== false;
  return {
    graph,
    inputs: mask ? [...files, mask] : files,
    ...(isLaidBack && { retouch }),
    ...gridOf(request, { pictures, batchSize, size }),
    ...answer,
  };
}
