/** A1111's answer: base64 pictures, the parameters, and `info` as JSON in a string. */
import { EndpointError } from "../../runtime/errors.ts";
import { exactInteger } from "../../runtime/json.ts";
import type { ResolvedSampler } from "../../workflows/sampler-names.ts";
import type { Completed } from "../request/request.ts";
import type { Txt2ImgFields } from "../request/sdapi-fields.ts";
import { describeOutput } from "./native-response.ts";

export interface SdapiGeneration {
  fields: Txt2ImgFields;
  /** One per picture, in order. */
  seeds: readonly bigint[];
  sampler: ResolvedSampler;
  checkpoint: string;
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
  const { fields, seeds, sampler, checkpoint } = generation;
  const each = <T>(value: T) => seeds.map(() => value);
  const [seed = 0n] = seeds;
  return {
    prompt: fields.prompt,
    all_prompts: each(fields.prompt),
    negative_prompt: fields.negative_prompt,
    all_negative_prompts: each(fields.negative_prompt),
    seed: exactInteger(seed),
    all_seeds: seeds.map(exactInteger),
    subseed: -1,
    all_subseeds: each(-1),
    subseed_strength: 0,
    width: fields.width,
    height: fields.height,
    sampler_name: sampler.samplerName,
    cfg_scale: fields.cfg_scale,
    steps: fields.steps,
    batch_size: fields.batch_size,
    restore_faces: false,
    face_restoration_model: null,
    sd_model_name: stem(checkpoint),
    sd_model_hash: null,
    sd_vae_name: null,
    sd_vae_hash: null,
    seed_resize_from_w: -1,
    seed_resize_from_h: -1,
    denoising_strength: null,
    extra_generation_params: {},
    index_of_first_image: 0,
    infotexts: seeds.map((own) => infotext(generation, own)),
    styles: [],
    job_timestamp: new Date().toISOString().replace(/\D/g, "").slice(0, 14),
    clip_skip: 1,
    is_using_inpainting_conditioning: false,
    version: "comfy-endpoint",
  };
}

/** Grammar: A1111 v1.10.1, modules/processing.py create_infotext. */
function infotext({ fields, sampler, checkpoint }: SdapiGeneration, seed: bigint): string {
  const parameters = {
    Steps: fields.steps,
    Sampler: sampler.samplerName,
    "Schedule type": sampler.schedulerLabel,
    "CFG scale": Number.isInteger(fields.cfg_scale) ? `${fields.cfg_scale}.0` : fields.cfg_scale,
    Seed: seed,
    Size: `${fields.width}x${fields.height}`,
    Model: stem(checkpoint),
    RNG: "CPU",
  };
  const line = Object.entries(parameters).map(([key, value]) => `${key}: ${quote(String(value))}`);
  const negative = fields.negative_prompt === "" ? "" : `\nNegative prompt: ${fields.negative_prompt}`;
  return `${fields.prompt}${negative}\n${line.join(", ")}`.trim();
}

/** A value that would be taken for several is written as JSON (A1111's infotext_utils.quote). */
const quote = (value: string) => (/[,\n:]/.test(value) ? JSON.stringify(value) : value);

const stem = (file: string) =>
  file
    .split("/")
    .at(-1)!
    .replace(/\.[^.]+$/, "");
