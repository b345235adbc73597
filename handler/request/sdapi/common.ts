/** What A1111's txt2img and img2img draw with: sampler, prompts, models, seeds. */
import { randomInt } from "node:crypto";
import type { Prompts, Refiner } from "../../../workflows/generation.ts";
import { familyOf, UNREAD_CHECKPOINT } from "../../../workflows/model-family.ts";
import type { Models } from "../../../workflows/models.ts";
import { type ResolvedSampler, resolveSampler } from "../../../workflows/sampler-names.ts";
import type { Inventory } from "../request.ts";
import { refuseForFlow, schedulerFor } from "./model-limits.ts";
import { readModelSource, withOtherCheckpoint } from "./models.ts";
import type { SdapiRequest } from "./parse.ts";
import { takePromptNetworks, writtenPrompts } from "./prompts.ts";

/** A1111 draws random seeds from 0 to this. */
const MAX_RANDOM_SEED = 4_294_967_293;

export interface Common {
  sampler: ResolvedSampler;
  /** As A1111 shows them: with tags, without comments. */
  written: Prompts;
  prompts: Prompts;
  models: Models;
  refiner: Refiner | undefined;
  /** One per picture. */
  seeds: readonly bigint[];
}

/** @throws EndpointError `unknown_sampler`, `unknown_model`, `invalid_request`, `unsupported_feature`. */
export async function readCommon(request: SdapiRequest, pictures: number, inventory: Inventory): Promise<Common> {
  const { fields, extensions, options } = request;
  const written = writtenPrompts(request);
  const { prompts, networks } = await takePromptNetworks(request, written, "prompt", inventory);
  const clipSkip = options.CLIP_stop_at_last_layers ?? extensions.clip_skip ?? 1;
  const models = { ...(await readModelSource(request, inventory)), ...networks, clipSkip };
  const name = samplerName(request);
  const sampler = resolveSampler(name, schedulerFor(models, name, fields.scheduler), noiseSettings(request, name));
  const refiner = await readRefiner(request, models, inventory);
  refuseForFlow({ models, sampler, refiner: refiner?.models });
  const first = fields.seed >= 0 ? BigInt(fields.seed) : BigInt(randomInt(MAX_RANDOM_SEED + 1));
  const seeds = Array.from({ length: pictures }, (_, index) => BigInt.asUintN(64, first + BigInt(index)));
  return { sampler, written, prompts, models, refiner, seeds };
}

export const samplerName = ({ fields }: SdapiRequest): string => fields.sampler_name || fields.sampler_index;

/** DDIM has an option of its own for what the others call eta. */
export function noiseSettings({ fields, options }: SdapiRequest, name: string) {
  const option = /^ddim/i.test(name) ? options.eta_ddim : options.eta_ancestral;
  return { eta: fields.eta ?? option, sNoise: fields.s_noise ?? undefined };
}

async function readRefiner(request: SdapiRequest, models: Models, inventory: Inventory): Promise<Refiner | undefined> {
  const { fields, options } = request;
  const title = fields.refiner_checkpoint;
  if (title === null || title === "" || title === "None") return undefined;
  const refining = await withOtherCheckpoint(models, { field: "refiner_checkpoint", title }, request, inventory);
  if (refining.checkpoint === models.checkpoint) return undefined;
  const passes = options.hires_fix_refiner_pass ?? "second pass";
  return {
    models: refining,
    switch: { at: fields.refiner_switch_at, bySteps: options.refiner_switch_by_sample_steps ?? false },
    passes: passes === "both passes" ? "both" : passes === "first pass" ? "first" : "second",
  };
}

/** A side as it is drawn: a multiple of what the model works in. */
export function floorToMultiple(side: number, { kind = UNREAD_CHECKPOINT }: Models): number {
  const { sizeMultiple } = familyOf(kind);
  return Math.floor(side / sizeMultiple) * sizeMultiple;
}

/** The scale that some models are told along with the prompt, where the request has one. */
export const distilled = ({ extensions: { distilled_cfg_scale } }: SdapiRequest) =>
  distilled_cfg_scale === undefined ? {} : { distilledCfgScale: distilled_cfg_scale };
