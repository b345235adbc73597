/** What A1111's txt2img and img2img draw with: sampler, prompts, models, seeds. */
import { AESTHETIC_SCORES, type AestheticScores } from "../../../workflows/conditioning.ts";
import type { Prompts, Refiner } from "../../../workflows/generation.ts";
import { familyOf, UNREAD_CHECKPOINT } from "../../../workflows/model-family.ts";
import type { Models } from "../../../workflows/models.ts";
import type { ResolvedSampler } from "../../../workflows/sampler-names.ts";
import type { Inventory } from "../request.ts";
import { whyInexact } from "./exactness.ts";
import { withinLimits } from "./model-limits.ts";
import { readModelSource, withOtherCheckpoint } from "./models.ts";
import type { SdapiRequest } from "./parse.ts";
import { takePromptNetworks, writtenPrompts } from "./prompts.ts";
import { readSampler, samplerName } from "./sampler.ts";
import { readSeeds, type Seeds } from "./seeds.ts";
import { readTokenMerging, type TokenMerging } from "./token-merging.ts";

export interface Common extends Seeds {
  sampler: ResolvedSampler;
  /** As A1111 shows them: with tags, without comments. */
  written: Prompts;
  prompts: Prompts;
  models: Models;
  tokenMerging: TokenMerging;
  refiner: Refiner | undefined;
}

/** @throws EndpointError `unknown_sampler`, `unknown_model`, `invalid_request`, `unsupported_feature`. */
export async function readCommon(request: SdapiRequest, pictures: number, inventory: Inventory): Promise<Common> {
  const { fields, extensions, options } = request;
  const written = writtenPrompts(request);
  const { prompts, networks } = await takePromptNetworks(request, written, "prompt", inventory);
  const clipSkip = options.CLIP_stop_at_last_layers ?? extensions.clip_skip ?? 1;
  const tokenMerging = readTokenMerging(request);
  const source = await readModelSource(request, inventory);
  const asked = { ...source, ...networks, clipSkip, tokenMerging: tokenMerging.first };
  const wish = { name: samplerName(request), scheduler: fields.scheduler, models: asked };
  const { models, sampler, refiner } = withinLimits(
    request,
    {
      models: asked,
      sampler: readSampler(request, wish, inventory),
      refiner: await readRefiner(request, asked, inventory),
    },
    inventory,
  );
  return {
    sampler,
    written,
    prompts,
    models,
    tokenMerging,
    refiner,
    ...readSeeds(request, pictures, whyInexact(inventory.catalogue, models)),
  };
}

const nothing = () => undefined;

async function readRefiner(request: SdapiRequest, models: Models, inventory: Inventory): Promise<Refiner | undefined> {
  const { fields, options, notes } = request;
  const title = fields.refiner_checkpoint;
  if (title === null || title === "" || title === "None") return undefined;
  const refining = await notes.orElseAsync(
    () => withOtherCheckpoint(models, { field: "refiner_checkpoint", title }, request, inventory),
    nothing,
    () => "there is no refiner",
  );
  if (refining === undefined || refining.checkpoint === models.checkpoint) return undefined;
  const passes = options.hires_fix_refiner_pass ?? "second pass";
  return {
    // A1111 merges no tokens in a model that it changes to.
    models: { ...refining, tokenMerging: 0 },
    switch: { at: fields.refiner_switch_at, bySteps: options.refiner_switch_by_sample_steps ?? false },
    passes: passes === "both passes" ? "both" : passes === "first pass" ? "first" : "second",
  };
}

/** A side as it is drawn: a multiple of what the model works in. */
export function floorToMultiple(side: number, { kind = UNREAD_CHECKPOINT }: Models): number {
  const { sizeMultiple } = familyOf(kind);
  return Math.floor(side / sizeMultiple) * sizeMultiple;
}

/** What SDXL's refiner is told of its prompts. */
export function aestheticScores({ options }: SdapiRequest): AestheticScores {
  const positive = options.sdxl_refiner_high_aesthetic_score ?? AESTHETIC_SCORES.positive;
  const negative = options.sdxl_refiner_low_aesthetic_score ?? AESTHETIC_SCORES.negative;
  return { positive, negative };
}

/** The scale that some models are told along with the prompt, where the request has one. */
export const distilled = ({ extensions: { distilled_cfg_scale } }: SdapiRequest) =>
  distilled_cfg_scale === undefined ? {} : { distilledCfgScale: distilled_cfg_scale };
