/** A1111's txt2img and img2img as graphs, with hires fix and refiner. */
import type { Graph, Link } from "../runtime/comfyui/graph.ts";
import type { EndpointError } from "../runtime/errors.ts";
import { GraphBuilder } from "./builder.ts";
import type { AestheticScores, EncodingSize } from "./conditioning.ts";
import { addControlMap, addControls, type Control, type ControlMap } from "./controlnet.ts";
import { addGuidance } from "./guidance.ts";
import { addHiresUpscale, type HiresUpscaler } from "./hires-fix.ts";
import type { HiresSize } from "./hires-size.ts";
import { addBlankConditioning } from "./inpainting-model.ts";
import { familyOf, isInpaintingModel, UNREAD_CHECKPOINT } from "./model-family.ts";
import { addModels, type Models } from "./models.ts";
import { type Emphasis, planComposition, planPrompt } from "./prompt-plan.ts";
import { type RefinerSwitch, refinerStep } from "./refiner.ts";
import { goesBack, refuseChanges } from "./restart.ts";
import type { ResolvedSampler } from "./sampler-names.ts";
import { addSampling, addUnitNoise, type Guidance, type Noise, type Sampling } from "./sampling.ts";
import { countedCalls, firstPass, img2imgPass, type SamplingPass, secondPass, timesOfCalls } from "./sampling-pass.ts";
import { addSoftMask, type SoftStart } from "./soft-inpainting.ts";
import { addStart, addStartModel, type StartPictures } from "./start-pictures.ts";

export interface Generation {
  /** In A1111's syntax, without tags and comments. */
  prompts: Prompts;
  /** One per sampling, with the seeds of its pictures: usually of one, and always for img2img. */
  noises: readonly Noise[];
  steps: number;
  /** A1111's scale, before what the sampler and the prompt make of it. */
  cfgScale: number;
  /** For models that are told a scale along with the prompt (Forge's `distilled_cfg_scale`). */
  distilledCfgScale?: number;
  /** A1111's `sdxl_refiner_high_aesthetic_score` and `..._low_...`. */
  aestheticScores?: AestheticScores;
  /** Pixels of the first pass, multiples of the model's `sizeMultiple`; of img2img, the pictures' own size counts. */
  width: number;
  height: number;
  /** As the request has them, where that is something else. */
  askedSize?: readonly [width: number, height: number];
  sampler: ResolvedSampler;
  models: Models;
  /** Names of the embeddings on this worker. */
  embeddings: readonly string[];
  /** A1111's option `use_old_scheduling`. */
  isOldTiming?: boolean;
  /** Makes it img2img, which has no hires fix. */
  start?: StartPictures;
  emphasis?: Emphasis;
  /** Told of what a prompt asks for and cannot have; what it does not throw is left aside. Default: throws. */
  refuse?(refusal: EndpointError): void;
  hires?: Hires;
  refiner?: Refiner;
  /** Of the first pass. */
  controls?: readonly Control[];
  /** Come after the pictures. */
  shownMaps?: readonly ControlMap[];
}

export interface Prompts {
  positive: string;
  negative: string;
}

export interface Hires {
  prompts: Prompts;
  size: HiresSize;
  upscaler: HiresUpscaler;
  steps: number;
  /** A1111's denoising strength, 0 to 1. */
  strength: number;
  /** As in {@link Generation}, where it is another than the first pass's. */
  cfgScale?: number;
  distilledCfgScale?: number;
  sampler: ResolvedSampler;
  models: Models;
  controls?: readonly Control[];
}

export interface Refiner {
  models: Models;
  switch: RefinerSwitch;
  /** Which of the passes of hires fix it takes part in; without hires fix there is only one. */
  passes: "first" | "second" | "both";
}

/**
 * A1111 gives every picture of a batch a generator of its own, so that picture k is what seed + k alone gives. ComfyUI's core samplers
 * draw one stream of noise for a batch; with those only one sampling per picture does that.
 * @throws EndpointError `invalid_request`, `unknown_model`, `unsupported_feature` for what a prompt asks.
 */
export function buildGeneration(request: Generation): Graph {
  const builder = new GraphBuilder();
  const first = addPass(builder, request, firstPassOf(request));
  const second = request.hires && addPass(builder, request, secondPassOf(request, request.hires));
  const softMasks: (() => Link)[] = [];
  for (const [index, noise] of request.noises.entries()) {
    const { soft, ...beginning } = addBeginning(builder, request, first, index);
    const drawn = addSampling(builder, { ...beginning, noise });
    if (soft) softMasks.push(() => addSoftMask(builder, { model: first.sampling.base.model, samples: drawn }, soft));
    let samples = drawn;
    if (request.hires && second) {
      const { size, upscaler } = request.hires;
      const vaes = { decoder: first.decoder, encoder: second.encoder };
      samples = addHiresUpscale(builder, { latent: samples, size, upscaler, ...vaes });
      samples = addSampling(builder, { ...second.sampling, noise, latent: samples });
    }
    const images = builder.add("VAEDecode", { samples, vae: (second ?? first).decoder });
    builder.add("SaveImage", {
      images: images(0),
      filename_prefix: `${request.start ? "img2img" : "txt2img"}_${String(index).padStart(3, "0")}`,
    });
  }
  for (const [index, map] of (request.shownMaps ?? []).entries())
    builder.add("SaveImage", { images: addControlMap(builder, map), filename_prefix: `map_${index}` });
  for (const [index, addMask] of softMasks.entries())
    builder.add("SaveImage", { images: addMask(), filename_prefix: `mask_${index}` });
  return builder.graph;
}

/** From pure noise, or from a picture. */
function addBeginning(
  builder: GraphBuilder,
  request: Generation,
  { encoder, sampling }: AddedPass,
  index: number,
): Omit<Sampling, "noise"> & { soft?: SoftStart } {
  const { start, width, height, noises } = request;
  const { emptyLatent } = familyOf(request.models.kind ?? UNREAD_CHECKPOINT);
  const size = { width, height, batch_size: noises[index]!.seeds.length };
  if (start === undefined) return { ...sampling, latent: builder.share(emptyLatent, size)(0) };
  // A1111 draws the noise under the mask of every batch from the first batch's seeds.
  const noise = noises[index % start.batchSize]!;
  const { pass, base, refiner } = sampling;
  const addNoise = (zeros: Link) => addUnitNoise(builder, pass, noise, { model: base.model, zeros });
  const { latent, soft } = addStart(builder, start, index, { encoder, emptyLatent, addNoise });
  const started = <G extends Guidance>(guidance: G, models: Models): G => {
    const starting = { model: guidance.model, encoder, soft, isInpaintingModel: isForInpainting(models) };
    return { ...guidance, model: addStartModel(builder, start, index, starting) };
  };
  return {
    ...sampling,
    latent,
    base: started(base, request.models),
    ...(refiner && { refiner: started(refiner, request.refiner!.models) }),
    ...(soft && { soft }),
  };
}

const isForInpainting = ({ kind }: Models) => kind !== undefined && isInpaintingModel(kind);

interface PassRequest {
  prompts: Prompts;
  fields: Prompts;
  pass: SamplingPass;
  models: Models;
  cfgScale: number;
  distilledCfgScale: number | undefined;
  size: EncodingSize;
  callsBefore?: number;
  refiner?: { models: Models; fromStep: number | undefined };
  controls: readonly Control[];
}

interface AddedPass {
  /** VAEs of the model that the pass begins and ends with. */
  encoder: Link;
  decoder: Link;
  sampling: { pass: SamplingPass; base: Guidance; refiner?: Guidance & { fromStep: number } };
}

function firstPassOf(request: Generation): PassRequest {
  const { prompts, sampler, steps, models, refiner, hires, start, width, height, controls = [] } = request;
  const pass = start ? img2imgPass(sampler, steps, start.strength, start.isFixedSteps) : firstPass(sampler, steps);
  const isRefined = refiner && (hires === undefined || refiner.passes !== "second");
  return {
    prompts,
    fields: { positive: "prompt", negative: "negative_prompt" },
    pass,
    models,
    cfgScale: request.cfgScale,
    distilledCfgScale: request.distilledCfgScale,
    size: { asked: request.askedSize ?? [width, height], drawn: [width, height] },
    controls,
    ...(isRefined && { refiner: { models: refiner.models, fromStep: refinerStep(pass, refiner.switch) } }),
  };
}

function secondPassOf(request: Generation, hires: Hires): PassRequest {
  const { refiner, sampler, steps } = request;
  const pass = secondPass(hires.sampler, hires.steps, hires.strength);
  const isRefined = refiner && refiner.passes !== "first";
  return {
    prompts: hires.prompts,
    fields: { positive: "hr_prompt", negative: "hr_negative_prompt" },
    pass,
    models: hires.models,
    cfgScale: hires.cfgScale ?? request.cfgScale,
    distilledCfgScale: hires.distilledCfgScale ?? request.distilledCfgScale,
    size: { asked: hires.size.upscaled, drawn: hires.size.final },
    controls: hires.controls ?? [],
    callsBefore: countedCalls(sampler, steps),
    ...(isRefined && { refiner: { models: refiner.models, fromStep: refinerStep(pass, refiner.switch) } }),
  };
}

const raise = (refusal: EndpointError) => {
  throw refusal;
};

function addPass(builder: GraphBuilder, generation: Generation, request: PassRequest): AddedPass {
  const { embeddings, aestheticScores, isOldTiming = false, emphasis = "Original", refuse = raise } = generation;
  const { prompts, fields, pass, cfgScale, distilledCfgScale, size, refiner, controls, callsBefore } = request;
  const { sampler } = pass;
  const planning = {
    pass: {
      // In the old way a second pass has the times of the first.
      steps: (isOldTiming && callsBefore) || countedCalls(sampler, pass.steps),
      isOldTiming,
      ...(callsBefore !== undefined && { callsBefore }),
    },
    callTimes: timesOfCalls(pass),
    embeddings,
    emphasis,
    refuse,
  };
  const positive = planComposition(prompts.positive, { ...planning, field: fields.positive });
  const negative = planPrompt(prompts.negative, { ...planning, field: fields.negative });
  if (goesBack(sampler, pass.sigmas.length - 1))
    refuseChanges({ ranges: [negative, ...positive.map(({ ranges }) => ranges)], refiner, controls });
  const scale = cfgScale / sampler.cfgDivisor;
  const guide = (models: Models) => {
    const links = addModels(builder, models);
    // A second pass knows nothing of the first either.
    if (generation.start === undefined && isForInpainting(models))
      links.model = addBlankConditioning(builder, links.model, { vae: links.vae, size: size.drawn });
    const guiding = { links, kind: models.kind ?? UNREAD_CHECKPOINT, positive, negative, scale, fields, size };
    const guidance = addGuidance(builder, { ...guiding, distilledCfgScale, aestheticScores });
    const prompted = { positive: guidance.positive, negative: guidance.negative };
    const controlled = addControls(builder, prompted, controls, { pass, vae: links.vae });
    return { vae: links.vae, guidance: { ...guidance, ...controlled } };
  };
  const base = guide(request.models);
  const sampling = { pass, base: base.guidance };
  if (refiner?.fromStep === undefined) return { encoder: base.vae, decoder: base.vae, sampling };
  const { vae, guidance } = guide(refiner.models);
  return {
    encoder: base.vae,
    decoder: vae,
    sampling: { ...sampling, refiner: { ...guidance, fromStep: refiner.fromStep } },
  };
}
