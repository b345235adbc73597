/** What A1111's txt2img and img2img draw with: sampler, prompts, models, seeds. */
import { randomInt } from "node:crypto";
import type { Catalogue } from "../../../runtime/comfyui/catalogue.ts";
import type { Prompts, Refiner } from "../../../workflows/generation.ts";
import type { Models } from "../../../workflows/models.ts";
import type { ResolvedSampler } from "../../../workflows/sampler-names.ts";
import { findCheckpoint, findOtherCheckpoint, findVae } from "./model-names.ts";
import type { SdapiRequest } from "./parse.ts";
import { takePromptNetworks, writtenPrompts } from "./prompts.ts";
import { readSampler, samplerName } from "./sampler.ts";
import { readTokenMerging, type TokenMerging } from "./token-merging.ts";

/** A1111 draws random seeds from 0 to this. */
const MAX_RANDOM_SEED = 4_294_967_293;
const CELL = 8;

export interface Common {
  sampler: ResolvedSampler;
  /** As A1111 shows them: with tags, without comments. */
  written: Prompts;
  prompts: Prompts;
  models: Models;
  tokenMerging: TokenMerging;
  refiner: Refiner | undefined;
  /** One per picture. */
  seeds: readonly bigint[];
}

/** @throws EndpointError `unknown_sampler`, `unknown_model`, `invalid_request`, `unsupported_feature`. */
export function readCommon(request: SdapiRequest, pictures: number, catalogue: Catalogue): Common {
  const { fields, extensions, options, notes } = request;
  const sampler = readSampler(request, samplerName(request), fields.scheduler);
  const written = writtenPrompts(request);
  const { prompts, networks } = takePromptNetworks(request, written, "prompt", catalogue);
  const clipSkip = options.CLIP_stop_at_last_layers ?? extensions.clip_skip ?? 1;
  const vae = notes.orElse(
    () => findVae(options.sd_vae, catalogue),
    nothing,
    () => "the checkpoint's own is used",
  );
  const checkpoint = notes.orElse(
    () => findCheckpoint(options.sd_model_checkpoint, catalogue),
    () => findCheckpoint(request.worker.options["sd_model_checkpoint"], catalogue),
    (file) => `${file} is used`,
  );
  const tokenMerging = readTokenMerging(request);
  const models = {
    checkpoint,
    ...(vae !== undefined && { vae }),
    ...networks,
    clipSkip,
    tokenMerging: tokenMerging.first,
  };
  const refiner = readRefiner(request, models, catalogue);
  const first = fields.seed >= 0 ? BigInt(fields.seed) : BigInt(randomInt(MAX_RANDOM_SEED + 1));
  const seeds = Array.from({ length: pictures }, (_, index) => BigInt.asUintN(64, first + BigInt(index)));
  return { sampler, written, prompts, models, tokenMerging, refiner, seeds };
}

const nothing = () => undefined;

function readRefiner(
  { fields, options, notes }: SdapiRequest,
  models: Models,
  catalogue: Catalogue,
): Refiner | undefined {
  const name = fields.refiner_checkpoint;
  if (name === null || name === "" || name === "None") return undefined;
  const checkpoint = notes.orElse(
    () => findOtherCheckpoint("refiner_checkpoint", name, catalogue),
    nothing,
    () => "there is no refiner",
  );
  if (checkpoint === undefined || checkpoint === models.checkpoint) return undefined;
  const passes = options.hires_fix_refiner_pass ?? "second pass";
  return {
    // A1111 merges no tokens in a model that it changes to.
    models: { ...models, checkpoint, tokenMerging: 0 },
    switch: { at: fields.refiner_switch_at, bySteps: options.refiner_switch_by_sample_steps ?? false },
    passes: passes === "both passes" ? "both" : passes === "first pass" ? "first" : "second",
  };
}

export const floorToCells = (side: number) => Math.floor(side / CELL) * CELL;
