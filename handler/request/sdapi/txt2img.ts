/** A1111's `POST /sdapi/v1/txt2img`. */
import { randomInt } from "node:crypto";
import type { Catalogue } from "../../../runtime/comfyui/catalogue.ts";
import { EndpointError } from "../../../runtime/errors.ts";
import { stripComments, takeNetworkTags } from "../../../workflows/extra-networks.ts";
import { checkHiresSize, findHiresUpscaler } from "../../../workflows/hires-fix.ts";
import { hiresSize } from "../../../workflows/hires-size.ts";
import type { Models } from "../../../workflows/models.ts";
import { type ResolvedSampler, resolveSampler } from "../../../workflows/sampler-names.ts";
import { buildTxt2Img, type Hires, type Prompts, type Refiner } from "../../../workflows/txt2img.ts";
import { applyInfotext } from "../../infotext/apply.ts";
import { answerSdapi } from "../../outputs/sdapi-response.ts";
import { fieldErrors } from "../field-errors.ts";
import type { BuiltGraph, Request } from "../request.ts";
import { hiresParameters, noiseParameters, refinerParameters } from "./extra-parameters.ts";
import {
  type ExtensionFields,
  extensionSchema,
  type Txt2ImgFields,
  txt2imgSchema,
  unsupportedField,
  withoutPlaceholders,
} from "./fields.ts";
import { findCheckpoint, findLora, findOtherCheckpoint, findVae, type Networks, takeNetworks } from "./model-names.ts";
import { type Options, parseOptions } from "./options.ts";
import { type PictureOptions, parsePictureOptions } from "./picture-options.ts";
import { refuseScripts } from "./scripts.ts";
import { checkTypes, TXT2IMG_TYPES } from "./types.ts";

/** A1111 draws random seeds from 0 to this. */
const MAX_RANDOM_SEED = 4_294_967_293;
const MAX_PICTURES = 100;
/** What A1111's web page sends; its API fails where the request has none. */
const DEFAULT_HIRES_STRENGTH = 0.7;

interface Txt2ImgRequest {
  fields: Txt2ImgFields;
  extensions: ExtensionFields;
  options: Options;
  pictureOptions: PictureOptions;
}

/**
 * @param workerOptions A1111's options that hold where the request has none.
 * @throws EndpointError `invalid_request`, `unsupported_feature`, `unknown_sampler`.
 */
export function parseTxt2Img(given: unknown, workerOptions: Readonly<Record<string, unknown>> = {}): Request {
  if (typeof given !== "object" || given === null || Array.isArray(given))
    throw new EndpointError("invalid_request", "value is not a valid dict");
  checkTypes(TXT2IMG_TYPES, given);
  const payload = applyInfotext(withoutPlaceholders(given as Record<string, unknown>), "txt2img");
  const parsed = txt2imgSchema.safeParse(payload);
  if (!parsed.success) throw fieldErrors(parsed.error);
  const extensions = extensionSchema.safeParse(payload);
  if (!extensions.success) throw fieldErrors(extensions.error);
  const fields = parsed.data;
  refuseUnsupported(payload, fields);
  refuseScripts(fields.alwayson_scripts);
  const options = parseOptions({ ...workerOptions, ...fields.override_settings });
  const pictureOptions = parsePictureOptions(fields.override_settings);
  const pictures = fields.batch_size * fields.n_iter;
  if (pictures > MAX_PICTURES)
    throw new EndpointError(
      "invalid_request",
      `batch_size * n_iter: ${pictures} pictures are more than the ${MAX_PICTURES} of one request`,
    );
  return {
    kind: "sdapi/txt2img",
    delivery: {
      isInline: fields.send_images,
      ...(pictureOptions.convert && { convert: pictureOptions.convert }),
    },
    extraData: {},
    build: async ({ catalogue }) =>
      build({ fields, extensions: extensions.data, options, pictureOptions }, pictures, catalogue),
  };
}

function build(request: Txt2ImgRequest, pictures: number, catalogue: Catalogue): BuiltGraph {
  const { fields, extensions, options, pictureOptions } = request;
  const sampler = resolveSampler(
    fields.sampler_name || fields.sampler_index,
    fields.scheduler,
    noiseSettings(request, fields.sampler_name || fields.sampler_index),
  );
  const written = writtenPrompts(request);
  const { prompts, networks } = readPrompts(request, written, "prompt", catalogue);
  const clipSkip = options.CLIP_stop_at_last_layers ?? extensions.clip_skip ?? 1;
  const vae = findVae(options.sd_vae, catalogue);
  const checkpoint = findCheckpoint(options.sd_model_checkpoint, catalogue);
  const models = { checkpoint, ...(vae !== undefined && { vae }), ...networks, clipSkip };
  const hires = fields.enable_hr ? readHires(request, sampler, models, catalogue) : undefined;
  const refiner = readRefiner(request, models, catalogue);
  const [width, height] = hires?.size.first ?? [fields.width, fields.height];
  if (hires) checkFirstSize(width, height);

  const first = fields.seed >= 0 ? BigInt(fields.seed) : BigInt(randomInt(MAX_RANDOM_SEED + 1));
  const seeds = Array.from({ length: pictures }, (_, index) => BigInt.asUintN(64, first + BigInt(index)));
  const graph = buildTxt2Img({
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
    ...(hires && { hires }),
    ...(refiner && { refiner }),
  });
  const answer = answerSdapi({
    fields,
    seeds,
    sampler,
    checkpoint,
    hasInfotext: pictureOptions.hasInfotext,
    prompt: written.positive,
    negativePrompt: written.negative,
    vae: vae ?? null,
    clipSkip,
    width,
    height,
    denoisingStrength: hires ? hires.strength : null,
    extraParameters: {
      ...(hires && hiresParameters({ fields, hires, sampler, checkpoint })),
      ...noiseParameters(sampler),
      ...(refiner && refinerParameters(fields, refiner, hires !== undefined)),
    },
  });
  return { graph, ...answer };
}

/** As A1111's `info` shows them: with their tags, without comments. */
function writtenPrompts({ fields, options }: Txt2ImgRequest, isHires = false): Prompts {
  const strip = (prompt: string) => (options.enable_prompt_comments === false ? prompt : stripComments(prompt));
  return {
    positive: strip((isHires && fields.hr_prompt) || fields.prompt),
    negative: strip((isHires && fields.hr_negative_prompt) || fields.negative_prompt),
  };
}

/** Tags count in the positive prompt only; in the negative one they are text, as in A1111. */
function readPrompts(
  { fields, extensions }: Txt2ImgRequest,
  written: Prompts,
  field: string,
  catalogue: Catalogue,
): { prompts: Prompts; networks: Networks } {
  if (fields.disable_extra_networks) {
    const { text } = takeNetworkTags(written.positive);
    return { prompts: { ...written, positive: text }, networks: { loras: [], hypernetworks: [] } };
  }
  const { text, networks } = takeNetworks(field, written.positive, catalogue);
  const listed = (extensions.loras ?? []).map(({ name, strength_model, strength_clip }) => ({
    file: findLora("loras", name, catalogue),
    unet: strength_model,
    textEncoder: strength_clip ?? strength_model,
  }));
  return {
    prompts: { ...written, positive: text },
    networks: { ...networks, loras: [...listed, ...networks.loras] },
  };
}

/** DDIM has an option of its own for what the others call eta. */
function noiseSettings({ fields, options }: Txt2ImgRequest, samplerName: string) {
  const option = /^ddim/i.test(samplerName) ? options.eta_ddim : options.eta_ancestral;
  return { eta: fields.eta ?? option, sNoise: fields.s_noise ?? undefined };
}

function readHires(request: Txt2ImgRequest, first: ResolvedSampler, models: Models, catalogue: Catalogue): Hires {
  const { fields, options } = request;
  const strength = fields.denoising_strength ?? DEFAULT_HIRES_STRENGTH;
  if (strength < 0 || strength > 1)
    throw new EndpointError("invalid_request", "denoising_strength: must be from 0 to 1", {
      details: { issues: [{ field: "denoising_strength", message: "must be from 0 to 1" }] },
    });
  const size = hiresSize({
    width: fields.width,
    height: fields.height,
    scale: fields.hr_scale,
    resizeX: fields.hr_resize_x,
    resizeY: fields.hr_resize_y,
    firstWidth: fields.firstphase_width,
    firstHeight: fields.firstphase_height,
    isSizeFinal: options.use_old_hires_fix_width_height ?? false,
  });
  checkHiresSize(size);
  const { prompts, networks } = readPrompts(
    request,
    writtenPrompts(request, true),
    fields.hr_prompt ? "hr_prompt" : "prompt",
    catalogue,
  );
  const name = orSame(fields.hr_checkpoint_name);
  const checkpoint =
    name === undefined ? models.checkpoint : findOtherCheckpoint("hr_checkpoint_name", name, catalogue);
  return {
    prompts,
    size,
    upscaler: findHiresUpscaler(fields.hr_upscaler, catalogue.choices("UpscaleModelLoader", "model_name")),
    steps: fields.hr_second_pass_steps || fields.steps,
    strength,
    sampler: hiresSampler(request, first),
    models: { ...models, ...networks, checkpoint },
  };
}

/** The scheduler goes on from the request's field; what `Automatic` means depends on the second sampler. */
function hiresSampler(request: Txt2ImgRequest, first: ResolvedSampler): ResolvedSampler {
  const { fields } = request;
  const name = orSame(fields.hr_sampler_name);
  const scheduler = orSame(fields.hr_scheduler);
  if (name === undefined && scheduler === undefined) return first;
  const firstName = fields.sampler_name || fields.sampler_index;
  const used = name ?? firstName;
  return resolveSampler(used, scheduler ?? fields.scheduler, noiseSettings(request, used));
}

function readRefiner({ fields, options }: Txt2ImgRequest, models: Models, catalogue: Catalogue): Refiner | undefined {
  const name = fields.refiner_checkpoint;
  if (name === null || name === "" || name === "None") return undefined;
  const checkpoint = findOtherCheckpoint("refiner_checkpoint", name, catalogue);
  if (checkpoint === models.checkpoint) return undefined;
  const passes = options.hires_fix_refiner_pass ?? "second pass";
  return {
    models: { ...models, checkpoint },
    switch: { at: fields.refiner_switch_at, bySteps: options.refiner_switch_by_sample_steps ?? false },
    passes: passes === "both passes" ? "both" : passes === "first pass" ? "first" : "second",
  };
}

/** `Use same sampler`, `Use same checkpoint` ... are what A1111's web page shows for none. */
const orSame = (name: string | null) =>
  name === null || name === "" || /^use same /i.test(name) || name === "None" ? undefined : name;

const CELL = 8;
const floorToCells = (side: number) => Math.floor(side / CELL) * CELL;
const MIN_SIDE = 16;

/** The first pass of the old way may be given in one side only, for which A1111 fails. */
function checkFirstSize(width: number, height: number): void {
  if (width >= MIN_SIDE && height >= MIN_SIDE) return;
  const field = "firstphase_width";
  throw new EndpointError("invalid_request", `${field}: a first pass of ${width}x${height} is too small`, {
    details: { issues: [{ field, message: `a first pass of ${width}x${height} is too small` }] },
  });
}

function refuseUnsupported(payload: Record<string, unknown>, { enable_hr, ...fields }: Txt2ImgFields): void {
  const sizes = ["firstphase_width", "firstphase_height"] as const;
  // Old clients' way to a second pass; without one it is not clear what they ask for.
  const size = enable_hr ? undefined : sizes.find((name) => fields[name] !== 0);
  const field = unsupportedField(payload) ?? size;
  if (field === undefined) return;
  throw new EndpointError("unsupported_feature", `${field}: this is not available; leave it out`, {
    details: { field },
  });
}
