/** What a request says of hires fix. */
import type { Catalogue } from "../../../runtime/comfyui/catalogue.ts";
import { EndpointError } from "../../../runtime/errors.ts";
import type { Hires } from "../../../workflows/generation.ts";
import { checkHiresSize, findHiresUpscaler, type HiresUpscaler } from "../../../workflows/hires-fix.ts";
import { hiresSize } from "../../../workflows/hires-size.ts";
import type { Models } from "../../../workflows/models.ts";
import type { ResolvedSampler } from "../../../workflows/sampler-names.ts";
import type { Inventory } from "../request.ts";
import type { Common } from "./common.ts";
import { whyInexact } from "./exactness.ts";
import type { Txt2ImgFields } from "./fields.ts";
import { withinLimits } from "./model-limits.ts";
import { readHiresModules, withOtherCheckpoint } from "./models.ts";
import { checkScheduleLength, type SdapiRequest } from "./parse.ts";
import { takePromptNetworks, writtenPrompts } from "./prompts.ts";
import { originOf, readSampler, samplerName } from "./sampler.ts";
import { readVariation } from "./seeds.ts";

/** What A1111's web page sends; its API fails where the request has none. */
const DEFAULT_STRENGTH = 0.7;
const MIN_SIDE = 16;

/** @throws EndpointError `invalid_request`, `unknown_model`, `unknown_sampler`, `unsupported_feature`. */
export async function readHires(
  request: SdapiRequest<Txt2ImgFields>,
  common: Common,
  inventory: Inventory,
): Promise<Hires> {
  const { fields, options, notes } = request;
  const { models } = common;
  if (fields.denoising_strength === null) notes.add(`denoising_strength: not set, so ${DEFAULT_STRENGTH} is used`);
  const strength = fields.denoising_strength ?? DEFAULT_STRENGTH;
  if (strength < 0) throw invalid("denoising_strength", "must be at least 0");
  const steps = fields.hr_second_pass_steps || fields.steps;
  checkScheduleLength(steps, strength);
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
  checkHiresSize(size, sizeField(fields));
  checkFirstSize(size.first);
  const written = writtenPrompts(request, { positive: fields.hr_prompt, negative: fields.hr_negative_prompt });
  const field = fields.hr_prompt ? "hr_prompt" : "prompt";
  const { prompts, networks } = await takePromptNetworks(request, written, field, inventory);
  const title = orSame(fields.hr_checkpoint_name);
  const first = { ...models, ...networks };
  const second =
    title === undefined
      ? first
      : await notes.orElseAsync(
          () => withOtherCheckpoint(first, { field: "hr_checkpoint_name", title }, request, inventory),
          () => first,
          ({ checkpoint }) => `${checkpoint} is used`,
        );
  const modules = readHiresModules(request, inventory.catalogue);
  const asked = modules ? { ...withoutModules(second), ...modules } : second;
  const drawn = { models: asked, sampler: hiresSampler(request, asked, inventory) };
  const { models: used, sampler } = withinLimits(request, drawn, inventory);
  readVariation(request, whyInexact(inventory.catalogue, used));
  const { hr_cfg, hr_distilled_cfg } = request.extensions;
  return {
    prompts,
    size,
    upscaler: findUpscaler(request, inventory.catalogue),
    steps,
    strength,
    sampler,
    ...(hr_cfg !== undefined && { cfgScale: hr_cfg }),
    ...(hr_distilled_cfg !== undefined && { distilledCfgScale: hr_distilled_cfg }),
    models: { ...used, tokenMerging: common.tokenMerging.second },
  };
}

const withoutModules = ({ vae: _, textEncoders: __, ...models }: Models): Models => models;

function findUpscaler({ fields, notes }: SdapiRequest<Txt2ImgFields>, catalogue: Catalogue): HiresUpscaler {
  const models = catalogue.choices("UpscaleModelLoader", "model_name");
  return notes.orElse(
    () => findHiresUpscaler(fields.hr_upscaler, models),
    () => findHiresUpscaler(null, models),
    () => "A1111's default is used",
  );
}

/** The scheduler goes on from the request's field; what `Automatic` means depends on the second sampler and its model. */
function hiresSampler(request: SdapiRequest<Txt2ImgFields>, models: Models, inventory: Inventory): ResolvedSampler {
  const { fields } = request;
  const ownName = orSame(fields.hr_sampler_name);
  const ownScheduler = orSame(fields.hr_scheduler);
  const wish = { name: ownName ?? samplerName(request), scheduler: ownScheduler ?? fields.scheduler, models };
  const origin = originOf(request);
  return readSampler(request, wish, inventory, {
    sampler_name: ownName === undefined ? origin.sampler_name : "hr_sampler_name",
    scheduler: ownScheduler === undefined ? origin.scheduler : "hr_scheduler",
  });
}

/** The one that made the size what it is. */
function sizeField(fields: Txt2ImgFields): string {
  const given = (["firstphase_width", "firstphase_height", "hr_resize_x", "hr_resize_y"] as const).find(
    (field) => fields[field] !== 0,
  );
  return given ?? "hr_scale";
}

/** `Use same sampler`, `Use same checkpoint` ... are what A1111's web page shows for none. */
const orSame = (name: string | null) =>
  name === null || name === "" || /^use same /i.test(name) || name === "None" ? undefined : name;

/** The first pass of the old way may be given in one side only, for which A1111 fails. */
function checkFirstSize([width, height]: readonly [number, number]): void {
  if (width < MIN_SIDE || height < MIN_SIDE)
    throw invalid("firstphase_width", `a first pass of ${width}x${height} is too small`);
}

function invalid(field: string, message: string): EndpointError {
  return new EndpointError("invalid_request", `${field}: ${message}`, { details: { issues: [{ field, message }] } });
}
