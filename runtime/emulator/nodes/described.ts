/**
 * Classes whose outputs are only descriptions: loaders, patches of models, samplers, schedulers, prompts. A picture depends on all of
 * them because a description is a hash over the class and its inputs; one table per kind of output is all that has to be said.
 */
import {
  type Conditioning,
  type Described,
  describe,
  fingerprint,
  type Guider,
  type PictureNoise,
  type Sigmas,
} from "./diffusion-values.ts";
import { Inputs } from "./inputs.ts";
import type { NodeImplementation } from "./node.ts";

/** Classes with one described output. */
const ONE_OUTPUT = `
UNETLoader VAELoader CLIPLoader DualCLIPLoader TripleCLIPLoader QuadrupleCLIPLoader ControlNetLoader DiffControlNetLoader CLIPVisionLoader
StyleModelLoader GLIGENLoader HypernetworkLoader CLIPSetLastLayer CLIPMergeSimple CLIPMergeAdd CLIPMergeSubtract CLIPAttentionMultiply
T5TokenizerOptions SetUnionControlNetType ComfyEndpointSoftControl ComfyEndpointInpaintModel CLIPVisionEncode ModelMergeSimple ModelMergeBlocks ModelMergeAdd ModelMergeSubtract
TomePatchModel FreeU FreeU_V2 CFGOverride HyperTile ModelSamplingDiscrete ModelSamplingContinuousEDM ModelSamplingContinuousV
ModelSamplingStableCascade ModelSamplingSD3 ModelSamplingAuraFlow ModelSamplingFlux ModelNoiseScale RescaleCFG ModelComputeDtype
PatchModelAddDownscale SelfAttentionGuidance PerpNeg DifferentialDiffusion PerturbedAttentionGuidance UNetSelfAttentionMultiply
UNetCrossAttentionMultiply UNetTemporalAttentionMultiply SkipLayerGuidanceSD3 SkipLayerGuidanceDiT SkipLayerGuidanceDiTSimple
TorchCompileModel Mahiro RenormCFG CFGZeroStar CFGNorm FreSca APG TCFG EasyCache LazyCache NAGuidance
KSamplerSelect SamplerEulerAncestral SamplerEulerAncestralCFGPP SamplerLMS SamplerDPMPP_3M_SDE SamplerDPMPP_2M_SDE SamplerDPMPP_SDE
SamplerDPMPP_2S_Ancestral ComfyEndpointSampler SamplerDPMAdaptative SamplerER_SDE SamplerSASolver SamplerSEEDS2 SamplerLCMUpscale SamplerLCM SamplerEulerCFGpp
RandomNoise`;

/** Of SD1's table. */
const [SIGMA_MIN, SIGMA_MAX] = [0.0292, 14.615];

const THREE_OUTPUTS = ["CheckpointLoaderSimple", "CheckpointLoader", "DiffusersLoader"];

/** Strength inputs of the LoRA loaders: 0 hands the value through unchanged, as in ComfyUI. */
const LORA_LOADERS: Record<string, { input: string; strength: string }[]> = {
  LoraLoader: [
    { input: "model", strength: "strength_model" },
    { input: "clip", strength: "strength_clip" },
  ],
  LoraLoaderModelOnly: [{ input: "model", strength: "strength_model" }],
};

const SCHEDULERS = `
BasicScheduler KarrasScheduler ExponentialScheduler PolyexponentialScheduler LaplaceScheduler VPScheduler BetaSamplingScheduler
SDTurboScheduler AlignYourStepsScheduler GITSScheduler Flux2Scheduler LTXVScheduler OptimalStepsScheduler`;

/** Prompts, and what changes one conditioning; several conditionings join into one. */
const CONDITIONINGS = `
CLIPTextEncode CLIPTextEncodeSDXL CLIPTextEncodeSDXLRefiner CLIPTextEncodeSD3 CLIPTextEncodeFlux CLIPTextEncodeLumina2 CLIPTextEncodeHiDream
CLIPTextEncodeHunyuanDiT CLIPTextEncodePixArtAlpha CLIPTextEncodeControlnet TextEncodeQwenImageEdit TextEncodeQwenImageEditPlus
ConditioningAverage ConditioningCombine ConditioningConcat ConditioningMultiply ConditioningSetArea ConditioningSetAreaPercentage
ConditioningSetAreaStrength ConditioningSetMask ConditioningSetTimestepRange StyleModelApply unCLIPConditioning GLIGENTextBoxApply
FluxGuidance FluxDisableGuidance ReferenceLatent ControlNetApply`;

/** Classes that change a positive and a negative conditioning alike. */
const PAIRS = ["ControlNetApplyAdvanced", "ControlNetApplySD3", "ControlNetInpaintingAliMamaApply"];

type Outputs = (classType: string, inputs: Inputs) => unknown[];

const isConditioning = (value: unknown): value is Conditioning =>
  typeof value === "object" && value !== null && (value as { kind?: unknown }).kind === "conditioning";

/** A conditioning made from others, texts and perhaps a ControlNet's hint picture. */
function conditioning(classType: string, raw: Record<string, unknown>): Conditioning {
  const inputs = new Inputs(raw);
  const values = Object.values(raw);
  const sources = values.filter(isConditioning);
  const texts =
    sources.length > 0 ? sources.map(({ text }) => text) : values.filter((value) => typeof value === "string");
  const hints = sources.flatMap((source) => source.hints);
  const controlled = inputs.has("control_net") && inputs.has("image") && inputs.number("strength", 1) !== 0;
  return {
    kind: "conditioning",
    fingerprint: describe(classType, raw).fingerprint,
    text: [...new Set(texts)].join(" "),
    hints: controlled ? [...hints, { image: inputs.image("image"), strength: inputs.number("strength", 1) }] : hints,
  };
}

/** Both sides of a pair; a side does not depend on the other, and a strength of 0 changes neither. */
const pair: Outputs = (classType, inputs) => {
  const { positive, negative, ...rest } = inputs.raw;
  if (inputs.has("strength") && inputs.number("strength") === 0) return [positive, negative];
  return [conditioning(classType, { ...rest, positive }), conditioning(classType, { ...rest, negative })];
};

const sigmas = (classType: string, inputs: Inputs): Sigmas => ({
  ...describe(classType, inputs.raw),
  kind: "sigmas",
  steps: inputs.number("denoise", 1) > 0 ? inputs.number("steps", 20) : 0,
  denoise: inputs.number("denoise", 1),
});

/** How much of the range they span is told from the first alone: its logarithm grows evenly with the model's time. */
function written(classType: string, inputs: Inputs): Sigmas {
  const numbers = (inputs.text("sigmas").match(/[-+]?(?:\d*\.)?\d+(?:e[-+]?\d+)?/gi) ?? []).map(Number);
  const span = Math.log((numbers[0] ?? 0) / SIGMA_MIN) / Math.log(SIGMA_MAX / SIGMA_MIN);
  const denoise = Math.min(1, Math.max(0, span));
  return { ...describe(classType, inputs.raw), kind: "sigmas", steps: Math.max(0, numbers.length - 1), denoise };
}

const split = (whole: Sigmas, lowSteps: number, denoise: number, cut: unknown): Sigmas[] => [
  { ...whole, fingerprint: fingerprint(whole, cut, "high"), steps: whole.steps - lowSteps },
  { ...whole, fingerprint: fingerprint(whole, cut, "low"), steps: lowSteps, denoise },
];

function splitSigmas(inputs: Inputs): Sigmas[] {
  const whole = inputs.value<Sigmas>("sigmas");
  const low = Math.max(0, whole.steps - inputs.number("step"));
  return split(whole, low, (whole.denoise * low) / Math.max(1, whole.steps), inputs.number("step"));
}

function splitSigmasDenoise(inputs: Inputs): Sigmas[] {
  const whole = inputs.value<Sigmas>("sigmas");
  const denoise = inputs.number("denoise");
  return split(whole, Math.round(whole.steps * denoise), whole.denoise * denoise, denoise);
}

const listOf = (list: string) => list.split(",").flatMap((part) => part.trim() || []);

/** Of our own node: a share of 0 is the noise of the seed alone, one of 1 that of the subseed. */
function pictureNoise(classType: string, inputs: Inputs): PictureNoise {
  const { seeds, subseeds, subseed_strength, seed_resize_from_w, seed_resize_from_h, ...rest } = inputs.raw;
  const others = listOf(String(subseeds));
  const strength = Number(subseed_strength);
  const isResized = Number(seed_resize_from_w) > 0 && Number(seed_resize_from_h) > 0;
  const size = isResized ? `${seed_resize_from_w}x${seed_resize_from_h}` : "";
  const pictures = listOf(String(seeds)).map((seed, index) => {
    const other = others[index] ?? seed;
    const mixed = strength === 0 ? seed : strength === 1 ? other : `${seed} ${other} ${strength}`;
    return describe(classType, { ...rest, mixed, size }).fingerprint;
  });
  return { ...describe(classType, inputs.raw), pictures };
}

const guider = (classType: string, inputs: Inputs, positive: string, cfg: string): Guider => ({
  ...describe(classType, inputs.raw),
  kind: "guider",
  positive: inputs.value(positive),
  negative: inputs.value("negative"),
  cfg: inputs.number(cfg, 1),
});

const SINGLES: Record<string, Outputs> = {
  ComfyEndpointSoftInpaint: (classType, inputs) => [{ ...describe(classType, inputs.raw), mask: inputs.mask("mask") }],
  // Whatever the prompt was: zeroed is zeroed.
  ConditioningZeroOut: () => [
    { kind: "conditioning", fingerprint: "zero", text: "", hints: [] } satisfies Conditioning,
  ],
  DisableNoise: () => [{ kind: "described", fingerprint: "none" } satisfies Described],
  ComfyEndpointNoise: (classType, inputs) => [pictureNoise(classType, inputs)],
  ComfyEndpointSigmas: (classType, inputs) => [written(classType, inputs)],
  SplitSigmas: (_, inputs) => splitSigmas(inputs),
  SplitSigmasDenoise: (_, inputs) => splitSigmasDenoise(inputs),
  CFGGuider: (classType, inputs) => [guider(classType, inputs, "positive", "cfg")],
  BasicGuider: (classType, inputs) => [guider(classType, inputs, "conditioning", "cfg")],
  DualCFGGuider: (classType, inputs) => [guider(classType, inputs, "cond1", "cfg_conds")],
  UpscaleModelLoader: (classType, inputs) => [{ ...describe(classType, inputs.raw), name: inputs.text("model_name") }],
};

const namesOf = (list: string) => list.trim().split(/\s+/);

function lora(classType: string, inputs: Inputs): unknown[] {
  return LORA_LOADERS[classType]!.map(({ input, strength }) => {
    if (inputs.number(strength) === 0) return inputs.value(input);
    const { lora_name } = inputs.raw;
    return describe(classType, { lora_name, strength: inputs.number(strength), input: inputs.value(input) });
  });
}

const TABLE: Record<string, Outputs> = Object.fromEntries<Outputs>([
  ...namesOf(ONE_OUTPUT).map((name): [string, Outputs] => [
    name,
    (classType, inputs) => [describe(classType, inputs.raw)],
  ]),
  ...THREE_OUTPUTS.map((name): [string, Outputs] => [
    name,
    (classType, inputs) => Array(3).fill(describe(classType, inputs.raw)),
  ]),
  ...Object.keys(LORA_LOADERS).map((name): [string, Outputs] => [name, lora]),
  ...namesOf(SCHEDULERS).map((name): [string, Outputs] => [name, (classType, inputs) => [sigmas(classType, inputs)]]),
  ...namesOf(CONDITIONINGS).map((name): [string, Outputs] => [
    name,
    (classType, inputs) => [conditioning(classType, inputs.raw)],
  ]),
  ...PAIRS.map((name): [string, Outputs] => [name, pair]),
  ...Object.entries(SINGLES),
]);

export const DESCRIBED: Record<string, NodeImplementation> = Object.fromEntries(
  Object.entries(TABLE).map(([classType, outputs]) => [
    classType,
    { run: (raw) => ({ outputs: outputs(classType, new Inputs(raw)) }) },
  ]),
);
