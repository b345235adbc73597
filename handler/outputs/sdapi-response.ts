/** A1111's answer: base64 pictures, the parameters, and `info` as JSON in a string. */
import { EndpointError } from "../../runtime/errors.ts";
import { exactInteger } from "../../runtime/json.ts";
import type { ResolvedSampler } from "../../workflows/sampler-names.ts";
import type { Completed } from "../request/request.ts";
import type { ExtraParameters } from "../request/sdapi-extra-parameters.ts";
import type { Txt2ImgFields } from "../request/sdapi-fields.ts";
import { describeOutput } from "./native-response.ts";

export interface SdapiGeneration {
  fields: Txt2ImgFields;
  /** One per picture, in order. */
  seeds: readonly bigint[];
  sampler: ResolvedSampler;
  checkpoint: string;
  /** As A1111 shows them: with tags, without comments. */
  prompt: string;
  negativePrompt: string;
  /** A file of its own; null: the checkpoint's. */
  vae: string | null;
  clipSkip: number;
  /** Of the first pass, as asked for. */
  width: number;
  height: number;
  /** Null without hires fix. */
  denoisingStrength: number | null;
  /** By A1111's names, in its order. */
  extraParameters: ExtraParameters;
}

/**
 * `images` holds one picture per seed, unless `send_images` is false; `outputs` (ours) tells where they lie when there is a bucket.
 * @throws EndpointError `no_outputs` when a picture is missing.
 */
export function encodeSdapi(generation: SdapiGeneration, { outputs }: Completed) {
  const { fields, seeds } = generation;
  if (outputs.length !== seeds.length)
    throw new EndpointError("no_outputs", `${seeds.length} pictures were due and ${outputs.length} came`);
  const stored = outputs.filter(({ location }) => location !== undefined).map(describeOutput);
  return {
    images: fields.send_images ? outputs.map(({ bytes }) => bytes.toString("base64")) : [],
    parameters: { ...fields, seed: exactInteger(BigInt(fields.seed)) },
    info: JSON.stringify(describeGeneration(generation)),
    ...(stored.length > 0 && { outputs: stored }),
  };
}

function describeGeneration(generation: SdapiGeneration) {
  const { fields, seeds, sampler, checkpoint, prompt, negativePrompt } = generation;
  const each = <T>(value: T) => seeds.map(() => value);
  const [seed = 0n] = seeds;
  return {
    prompt,
    all_prompts: each(prompt),
    negative_prompt: negativePrompt,
    all_negative_prompts: each(negativePrompt),
    seed: exactInteger(seed),
    all_seeds: seeds.map(exactInteger),
    subseed: -1,
    all_subseeds: each(-1),
    subseed_strength: 0,
    width: generation.width,
    height: generation.height,
    sampler_name: sampler.samplerName,
    cfg_scale: fields.cfg_scale,
    steps: fields.steps,
    batch_size: fields.batch_size,
    restore_faces: false,
    face_restoration_model: null,
    sd_model_name: stem(checkpoint),
    sd_model_hash: null,
    sd_vae_name: generation.vae,
    sd_vae_hash: null,
    seed_resize_from_w: -1,
    seed_resize_from_h: -1,
    denoising_strength: generation.denoisingStrength,
    extra_generation_params: generation.extraParameters,
    index_of_first_image: 0,
    infotexts: seeds.map((own) => infotext(generation, own)),
    styles: [],
    job_timestamp: new Date().toISOString().replace(/\D/g, "").slice(0, 14),
    clip_skip: generation.clipSkip,
    is_using_inpainting_conditioning: false,
    version: "comfy-endpoint",
  };
}

/** Grammar: A1111 v1.10.1, modules/processing.py create_infotext. */
function infotext(generation: SdapiGeneration, seed: bigint): string {
  const { fields, sampler, checkpoint, prompt, negativePrompt, extraParameters } = generation;
  const parameters = {
    Steps: fields.steps,
    Sampler: sampler.samplerName,
    "Schedule type": sampler.schedulerLabel,
    "CFG scale": Number.isInteger(fields.cfg_scale) ? `${fields.cfg_scale}.0` : fields.cfg_scale,
    Seed: seed,
    Size: `${generation.width}x${generation.height}`,
    Model: stem(checkpoint),
    VAE: generation.vae,
    "Denoising strength": generation.denoisingStrength,
    "Clip skip": generation.clipSkip > 1 ? generation.clipSkip : null,
    RNG: "CPU",
    ...extraParameters,
  };
  const known = Object.entries(parameters).filter(([, value]) => value !== null);
  const line = known.map(([key, value]) => `${key}: ${quote(String(value))}`);
  const negative = negativePrompt === "" ? "" : `\nNegative prompt: ${negativePrompt}`;
  return `${prompt}${negative}\n${line.join(", ")}`.trim();
}

/** A value that would be taken for several is written as JSON (A1111's infotext_utils.quote). */
const quote = (value: string) => (/[,\n:]/.test(value) ? JSON.stringify(value) : value);

const stem = (file: string) =>
  file
    .split("/")
    .at(-1)!
    .replace(/\.[^.]+$/, "");
