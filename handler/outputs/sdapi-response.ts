/** A1111's answer: base64 pictures, the parameters, and `info` as JSON in a string. */
import { EndpointError } from "../../runtime/errors.ts";
import { exactInteger } from "../../runtime/json.ts";
import { isInpaintingModel } from "../../workflows/model-family.ts";
import type { Models } from "../../workflows/models.ts";
import { PythonFloat } from "../infotext/python.ts";
import { type Parameters, writeInfotext } from "../infotext/write.ts";
import type { BuiltGraph, Completed } from "../request/request.ts";
import type { Common } from "../request/sdapi/common.ts";
import { withoutPictures } from "../request/sdapi/controlnet/echo.ts";
import type { CommonFields, Img2ImgFields } from "../request/sdapi/fields.ts";
import { wantsGrid } from "../request/sdapi/grid.ts";
import type { Hashes } from "../request/sdapi/hashes.ts";
import type { Options } from "../request/sdapi/options.ts";
import type { SdapiRequest } from "../request/sdapi/parse.ts";
import { version } from "../version.ts";
import { embedInfotext } from "./embed-infotext.ts";
import { describeOutput } from "./native-response.ts";
import { noiseSource, samplingParameters, variationParameters } from "./sampling-parameters.ts";

/** In A1111's place of the release it is; its own reader of infotexts ignores what is no release of A1111. */
const VERSION = `comfy-endpoint ${version}`;

export interface SdapiGeneration {
  request: SdapiRequest;
  common: Common;
  hashes: Hashes;
  /** Of the first pass, as asked for. */
  width: number;
  height: number;
  /** Null where no picture is started from. */
  denoisingStrength: number | null;
  /** By A1111's labels, in its order; null: `info` has the label, the infotext has not. */
  extraParameters: Parameters;
  /** How many maps of ControlNets come after the pictures. */
  shownMaps?: number;
}

/** The pictures get their infotexts, and the answer tells them. */
export function answerSdapi(generation: SdapiGeneration): Pick<BuiltGraph, "finish" | "encode"> {
  const { seeds } = generation.common;
  const ofPictures = seeds.map((_, index) => infotext(generation, index));
  // A grid has the infotext of its first picture.
  const infotexts = wantsGrid(generation.request, seeds.length) ? [ofPictures[0]!, ...ofPictures] : ofPictures;
  return {
    finish: (artifacts) =>
      artifacts.map((artifact, index) =>
        embedInfotext(artifact, generation.request.pictureOptions.hasInfotext ? infotexts[index] : undefined),
      ),
    encode: (done) => encodeSdapi(generation, infotexts, done),
  };
}

/**
 * `images` holds one picture per seed, unless `send_images` is false. Ours are `outputs`, which tells where they lie when there is a
 * bucket, and `warnings`, both only where there is something to tell.
 * @throws EndpointError `no_outputs` when a picture is missing.
 */
function encodeSdapi(generation: SdapiGeneration, infotexts: readonly string[], { outputs }: Completed) {
  const { fields, notes } = generation.request;
  const due = infotexts.length + (generation.shownMaps ?? 0);
  if (outputs.length !== due)
    throw new EndpointError("no_outputs", `${due} pictures were due and ${outputs.length} came`);
  const stored = outputs.filter(({ location }) => location !== undefined).map(describeOutput);
  return {
    images: fields.send_images ? outputs.map(({ bytes }) => bytes.toString("base64")) : [],
    parameters: {
      ...echoOf(fields),
      seed: exactInteger(BigInt(fields.seed)),
      subseed: exactInteger(BigInt(fields.subseed)),
    },
    info: JSON.stringify(describeGeneration(generation, infotexts)),
    ...(stored.length > 0 && { outputs: stored }),
    ...(notes.texts.length > 0 && { warnings: notes.texts }),
  };
}

/** A1111 sends back every field, but for the pictures of img2img, unless that is asked for; those of ControlNet units, which it sends, are left out. */
function echoOf(fields: CommonFields): object {
  const { init_images, include_init_images } = fields as Partial<Img2ImgFields>;
  const echo = { ...fields, alwayson_scripts: withoutPictures(fields.alwayson_scripts) };
  return init_images && !include_init_images ? { ...echo, init_images: null, mask: null } : echo;
}

function describeGeneration(generation: SdapiGeneration, infotexts: readonly string[]) {
  const { hashes } = generation;
  const { fields, notes } = generation.request;
  const { seeds, subseeds, variation, sampler, models, written } = generation.common;
  const each = <T>(value: T) => seeds.map(() => value);
  const [seed = 0n] = seeds;
  const [subseed = 0n] = subseeds;
  return {
    prompt: written.positive,
    all_prompts: each(written.positive),
    negative_prompt: written.negative,
    all_negative_prompts: each(written.negative),
    seed: exactInteger(seed),
    all_seeds: seeds.map(exactInteger),
    subseed: exactInteger(subseed),
    all_subseeds: subseeds.map(exactInteger),
    subseed_strength: variation.strength,
    width: generation.width,
    height: generation.height,
    sampler_name: sampler.samplerName,
    cfg_scale: fields.cfg_scale,
    steps: fields.steps,
    batch_size: fields.batch_size,
    restore_faces: false,
    face_restoration_model: null,
    sd_model_name: stem(models.checkpoint),
    sd_model_hash: hashes.model,
    sd_vae_name: models.vae ?? null,
    sd_vae_hash: hashes.vae,
    seed_resize_from_w: variation.resizeFrom.width,
    seed_resize_from_h: variation.resizeFrom.height,
    denoising_strength: generation.denoisingStrength ?? fields.denoising_strength,
    extra_generation_params: toldInInfo({
      ...generation.extraParameters,
      ...samplingParameters(generation.request, sampler, isFromPicture(generation)),
    }),
    index_of_first_image: infotexts.length - seeds.length,
    infotexts,
    styles: fields.styles ?? [],
    job_timestamp: new Date().toISOString().replace(/\D/g, "").slice(0, 14),
    clip_skip: models.clipSkip,
    is_using_inpainting_conditioning: usesMask(models),
    version: VERSION,
    ...(notes.texts.length > 0 && { warnings: notes.texts }),
  };
}

/** A1111 finds these when it writes the infotext of a picture; its `info` has their labels alone. */
const OF_EACH_PICTURE = ["Hires prompt", "Hires negative prompt"];

const toldInInfo = (parameters: Parameters): Parameters =>
  Object.fromEntries(
    Object.entries(parameters).map(([label, value]) => [label, OF_EACH_PICTURE.includes(label) ? null : value]),
  );

/** Also where there is no mask: A1111 then gives the model one that covers all. */
const usesMask = ({ kind }: Models) => kind !== undefined && isInpaintingModel(kind);

/** Numbers under these labels are floats in A1111, also where they are whole. */
const FLOATS = new Set([
  "Variation seed strength",
  "Denoising strength",
  "Hires upscale",
  "Refiner switch at",
  "Eta",
  "Eta DDIM",
  "NGMS",
  "Sigma churn",
  "Sigma tmin",
  "Sigma tmax",
  "Sigma noise",
  "Noise multiplier",
  "Extra noise",
]);

/** With hires fix the second pass does. */
const isFromPicture = ({ denoisingStrength }: SdapiGeneration) => denoisingStrength !== null;

const withFloats = (parameters: Parameters): Parameters =>
  Object.fromEntries(
    Object.entries(parameters).map(([label, value]) => [
      label,
      typeof value === "number" && FLOATS.has(label) ? new PythonFloat(value) : value,
    ]),
  );

function infotext(generation: SdapiGeneration, index: number): string {
  const { width, height, hashes } = generation;
  const { fields, options } = generation.request;
  const { seeds, sampler, models, written, tokenMerging } = generation.common;
  const { seedDelta, rng } = noiseSource(generation.request, generation.common);
  return writeInfotext({
    prompt: written.positive,
    negativePrompt: written.negative,
    parameters: {
      Steps: fields.steps,
      Sampler: sampler.samplerName,
      "Schedule type": sampler.schedulerLabel,
      "CFG scale": new PythonFloat(fields.cfg_scale),
      Seed: seeds[index],
      Size: `${width}x${height}`,
      "Model hash": hashes.model,
      Model: stem(models.checkpoint),
      "VAE hash": hashes.vae,
      VAE: models.vae,
      ...variationParameters(generation.common, index),
      ...withFloats({ "Denoising strength": generation.denoisingStrength }),
      "Conditional mask weight": usesMask(models) ? new PythonFloat(options.inpainting_mask_weight ?? 1) : null,
      "Clip skip": models.clipSkip > 1 ? models.clipSkip : null,
      ENSD: seedDelta,
      "Token merging ratio": tokenMerging.first || null,
      "Token merging ratio hr": tokenMerging.second || null,
      RNG: rng,
      ...withFloats(generation.extraParameters),
      ...withFloats(samplingParameters(generation.request, sampler, isFromPicture(generation))),
      Version: VERSION,
      ...leftOut(options),
    },
  });
}

/** What options switch off. */
function leftOut(options: Options): Parameters {
  const switches = {
    Model: options.add_model_name_to_info,
    "Model hash": options.add_model_hash_to_info,
    VAE: options.add_vae_name_to_info,
    "VAE hash": options.add_vae_hash_to_info,
    Version: options.add_version_to_infotext,
    "Lora hashes": options.lora_add_hashes_to_infotext,
    "TI hashes": options.textual_inversion_add_hashes_to_infotext,
  };
  const off = Object.entries(switches).filter(([, isAdded]) => isAdded === false);
  return Object.fromEntries(off.map(([label]) => [label, null]));
}

const stem = (file: string) =>
  file
    .split("/")
    .at(-1)!
    .replace(/\.[^.]+$/, "");
