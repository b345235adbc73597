/** A1111's `POST /sdapi/v1/txt2img`. */
import { randomInt } from "node:crypto";
import type { Catalogue } from "../../runtime/comfyui/catalogue.ts";
import { EndpointError } from "../../runtime/errors.ts";
import { resolveSampler } from "../../workflows/sampler-names.ts";
import { buildTxt2Img } from "../../workflows/txt2img.ts";
import { encodeSdapi } from "../outputs/sdapi-response.ts";
import { fieldErrors } from "./field-errors.ts";
import type { BuiltGraph, Request } from "./request.ts";
import { type Txt2ImgFields, txt2imgSchema, unsupportedField } from "./sdapi-fields.ts";
import { checkTypes, TXT2IMG_TYPES } from "./sdapi-model.ts";

/** A1111 draws random seeds from 0 to this. */
const MAX_RANDOM_SEED = 4_294_967_293;
const MAX_PICTURES = 100;
const CHECKPOINT = "sd_model_checkpoint";

/**
 * @param options A1111's options that hold where the request has none.
 * @throws EndpointError `invalid_request`, `unsupported_feature`, `unknown_sampler`.
 */
export function parseTxt2Img(payload: unknown, options: Readonly<Record<string, unknown>> = {}): Request {
  if (typeof payload !== "object" || payload === null || Array.isArray(payload))
    throw new EndpointError("invalid_request", "value is not a valid dict");
  checkTypes(TXT2IMG_TYPES, payload);
  const parsed = txt2imgSchema.safeParse(payload);
  if (!parsed.success) throw fieldErrors(parsed.error);
  const fields = parsed.data;
  refuseUnsupported(payload as Record<string, unknown>, fields);
  const pictures = fields.batch_size * fields.n_iter;
  if (pictures > MAX_PICTURES)
    throw new EndpointError(
      "invalid_request",
      `batch_size * n_iter: ${pictures} pictures are more than the ${MAX_PICTURES} of one request`,
    );
  return {
    kind: "sdapi/txt2img",
    delivery: { isInline: fields.send_images },
    extraData: {},
    build: (catalogue) => build(fields, pictures, catalogue, options),
  };
}

function build(
  fields: Txt2ImgFields,
  pictures: number,
  catalogue: Catalogue,
  options: Readonly<Record<string, unknown>>,
): BuiltGraph {
  const sampler = resolveSampler(fields.sampler_name || fields.sampler_index, fields.scheduler);
  const checkpoint = findCheckpoint(fields.override_settings?.[CHECKPOINT] ?? options[CHECKPOINT], catalogue);
  const first = fields.seed >= 0 ? BigInt(fields.seed) : BigInt(randomInt(MAX_RANDOM_SEED + 1));
  const seeds = Array.from({ length: pictures }, (_, index) => BigInt.asUintN(64, first + BigInt(index)));
  const graph = buildTxt2Img({
    positivePrompt: fields.prompt,
    negativePrompt: fields.negative_prompt,
    seeds,
    steps: fields.steps,
    cfg: fields.cfg_scale / sampler.cfgDivisor,
    width: Math.floor(fields.width / 8) * 8,
    height: Math.floor(fields.height / 8) * 8,
    sampler: sampler.sampler,
    scheduler: sampler.scheduler,
    checkpoint,
    ...(sampler.modelSampling && { modelSampling: sampler.modelSampling }),
  });
  return { graph, encode: (done) => encodeSdapi({ fields, seeds, sampler, checkpoint }, done) };
}

/** A title (`name.safetensors [hash]`), a model name, or a file name, with or without its extension and folder; none: the first. */
export function findCheckpoint(wanted: unknown, { checkpoints }: Catalogue): string {
  const [first] = checkpoints;
  if (first === undefined) throw new EndpointError("unknown_model", "this worker has no checkpoint");
  if (wanted === undefined || wanted === null || wanted === "") return first;
  const title = typeof wanted === "string" ? wanted : JSON.stringify(wanted);
  const name = title.replace(/ \[[0-9a-f]+\]$/i, "");
  const found = checkpoints.find((file) => namesOf(file).includes(name));
  if (found !== undefined) return found;
  throw new EndpointError("unknown_model", `model '${title}' not found; there are: ${checkpoints.join(", ")}`, {
    details: { field: `override_settings.${CHECKPOINT}`, available: checkpoints },
  });
}

function namesOf(file: string): string[] {
  const base = file.split("/").at(-1)!;
  const stems = [file, base].map((name) => name.replace(/\.[^./]+$/, ""));
  return [file, base, ...stems, stems[0]!.replaceAll("/", "_")];
}

function refuseUnsupported(payload: Record<string, unknown>, fields: Txt2ImgFields): void {
  const option = Object.keys(fields.override_settings ?? {}).find((key) => key !== CHECKPOINT);
  const field = unsupportedField(payload) ?? (option === undefined ? undefined : `override_settings.${option}`);
  if (field !== undefined) {
    throw new EndpointError("unsupported_feature", `${field}: this is not available; leave it out`, {
      details: { field },
    });
  }
  const tag = `${fields.prompt} ${fields.negative_prompt}`.match(/<(lora|lyco|hypernet):[^>]*>/i)?.[0];
  if (tag)
    throw new EndpointError("unsupported_feature", `prompt: ${tag} is not available`, { details: { field: "prompt" } });
}
