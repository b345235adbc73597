/** A1111's answer: base64 pictures, the parameters, and `info` as JSON in a string. */
import { EndpointError } from "../../runtime/errors.ts";
import { exactInteger } from "../../runtime/json.ts";
import { PythonFloat } from "../infotext/python.ts";
import { type Parameters, writeInfotext } from "../infotext/write.ts";
import type { BuiltGraph, Completed } from "../request/request.ts";
import type { Common } from "../request/sdapi/common.ts";
import type { CommonFields, Img2ImgFields } from "../request/sdapi/fields.ts";
import type { SdapiRequest } from "../request/sdapi/parse.ts";
import { version } from "../version.ts";
import { embedInfotext } from "./embed-infotext.ts";
import { describeOutput } from "./native-response.ts";
import { noiseParameters, samplingParameters } from "./sampling-parameters.ts";

/** In A1111's place of the release it is; its own reader of infotexts ignores what is no release of A1111. */
const VERSION = `comfy-endpoint ${version}`;

export interface SdapiGeneration {
  request: SdapiRequest;
  common: Common;
  /** Of the first pass, as asked for. */
  width: number;
  height: number;
  /** Null where no picture is started from. */
  denoisingStrength: number | null;
  /** By A1111's labels, in its order; null: `info` has the label, the infotext has not. */
  extraParameters: Parameters;
}

/** The pictures get their infotexts, and the answer tells them. */
export function answerSdapi(generation: SdapiGeneration): Pick<BuiltGraph, "finish" | "encode"> {
  const infotexts = generation.common.seeds.map((_, index) => infotext(generation, index));
  return {
    finish: (artifacts) =>
      artifacts.map((artifact, index) =>
        embedInfotext(artifact, generation.request.pictureOptions.hasInfotext ? infotexts[index] : undefined),
      ),
    encode: (done) => encodeSdapi(generation, infotexts, done),
  };
}

/**
 * `images` holds one picture per seed, unless `send_images` is false; `outputs` (ours) tells where they lie when there is a bucket.
 * @throws EndpointError `no_outputs` when a picture is missing.
 */
function encodeSdapi(generation: SdapiGeneration, infotexts: readonly string[], { outputs }: Completed) {
  const { fields } = generation.request;
  const { seeds } = generation.common;
  if (outputs.length !== seeds.length)
    throw new EndpointError("no_outputs", `${seeds.length} pictures were due and ${outputs.length} came`);
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
  };
}

/** A1111 sends back every field, but for the pictures of img2img, unless that is asked for. */
function echoOf(fields: CommonFields): object {
  const { init_images, include_init_images } = fields as Partial<Img2ImgFields>;
  return init_images && !include_init_images ? { ...fields, init_images: null, mask: null } : fields;
}

function describeGeneration(generation: SdapiGeneration, infotexts: readonly string[]) {
  const { fields } = generation.request;
  const { seeds, subseeds, sampler, models, written } = generation.common;
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
    subseed_strength: fields.subseed_strength,
    width: generation.width,
    height: generation.height,
    sampler_name: sampler.samplerName,
    cfg_scale: fields.cfg_scale,
    steps: fields.steps,
    batch_size: fields.batch_size,
    restore_faces: false,
    face_restoration_model: null,
    sd_model_name: stem(models.checkpoint),
    sd_model_hash: null,
    sd_vae_name: models.vae ?? null,
    sd_vae_hash: null,
    seed_resize_from_w: fields.seed_resize_from_w,
    seed_resize_from_h: fields.seed_resize_from_h,
    denoising_strength: generation.denoisingStrength ?? fields.denoising_strength,
    extra_generation_params: { ...generation.extraParameters, ...samplingParameters(generation.request, sampler) },
    index_of_first_image: 0,
    infotexts,
    styles: [],
    job_timestamp: new Date().toISOString().replace(/\D/g, "").slice(0, 14),
    clip_skip: models.clipSkip,
    is_using_inpainting_conditioning: false,
    version: VERSION,
  };
}

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

const withFloats = (parameters: Parameters): Parameters =>
  Object.fromEntries(
    Object.entries(parameters).map(([label, value]) => [
      label,
      typeof value === "number" && FLOATS.has(label) ? new PythonFloat(value) : value,
    ]),
  );

function infotext(generation: SdapiGeneration, index: number): string {
  const { width, height } = generation;
  const { fields } = generation.request;
  const { seeds, sampler, models, written } = generation.common;
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
      Model: stem(models.checkpoint),
      VAE: models.vae,
      "Clip skip": models.clipSkip > 1 ? models.clipSkip : null,
      ...noiseParameters(generation.request, generation.common, index),
      ...withFloats({ "Denoising strength": generation.denoisingStrength, ...generation.extraParameters }),
      ...withFloats(samplingParameters(generation.request, sampler)),
      Version: VERSION,
    },
  });
}

const stem = (file: string) =>
  file
    .split("/")
    .at(-1)!
    .replace(/\.[^.]+$/, "");
