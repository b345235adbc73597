/** What A1111's txt2img and img2img draw with: sampler, prompts, models, seeds. */
import type { Catalogue } from "../../../runtime/comfyui/catalogue.ts";
import type { Prompts, Refiner } from "../../../workflows/generation.ts";
import type { Models } from "../../../workflows/models.ts";
import { type ResolvedSampler, resolveSampler } from "../../../workflows/sampler-names.ts";
import { findCheckpoint, findOtherCheckpoint, findVae } from "./model-names.ts";
import type { SdapiRequest } from "./parse.ts";
import { takePromptNetworks, writtenPrompts } from "./prompts.ts";
import { readSeeds, type Seeds, samplerName, samplerSettings } from "./sampling.ts";

const CELL = 8;

export interface Common extends Seeds {
  sampler: ResolvedSampler;
  /** As A1111 shows them: with tags, without comments. */
  written: Prompts;
  prompts: Prompts;
  models: Models;
  refiner: Refiner | undefined;
}

/** @throws EndpointError `unknown_sampler`, `unknown_model`, `invalid_request`, `unsupported_feature`. */
export function readCommon(request: SdapiRequest, pictures: number, catalogue: Catalogue): Common {
  const { fields, extensions, options } = request;
  const name = samplerName(request);
  const sampler = resolveSampler(name, fields.scheduler, samplerSettings(request, name, catalogue));
  const written = writtenPrompts(request);
  const { prompts, networks } = takePromptNetworks(request, written, "prompt", catalogue);
  const clipSkip = options.CLIP_stop_at_last_layers ?? extensions.clip_skip ?? 1;
  const vae = findVae(options.sd_vae, catalogue);
  const checkpoint = findCheckpoint(options.sd_model_checkpoint, catalogue);
  const models = { checkpoint, ...(vae !== undefined && { vae }), ...networks, clipSkip };
  const refiner = readRefiner(request, models, catalogue);
  return { sampler, written, prompts, models, refiner, ...readSeeds(request, pictures, sampler) };
}

function readRefiner({ fields, options }: SdapiRequest, models: Models, catalogue: Catalogue): Refiner | undefined {
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

export const floorToCells = (side: number) => Math.floor(side / CELL) * CELL;
