/**
 * What kind of diffusion model a file holds, by the names and shapes of its tensors.
 * Their names: ComfyUI's comfy/model_detection.py and comfy/supported_models.py.
 */
import type { SafetensorsHeader } from "../runtime/safetensors.ts";

export interface ModelFamily {
  /** For messages. */
  title: string;
  /** A1111's and ComfyUI's sigmas of 1000 scaled-linear betas; otherwise it is a flow, whose noise goes from 1 to 0. */
  isScaledLinear: boolean;
  /** Whether `CLIP_stop_at_last_layers` changes the picture in A1111: only SD 1's text encoder is cut. */
  hasClipSkip: boolean;
  /** A1111 and Forge give an empty negative prompt no text at all, instead of the encoding of none. */
  zeroesEmptyNegative: boolean;
  /** Takes a scale of its own along with the prompt (Forge's `distilled_cfg_scale`). */
  hasDistilledGuidance: boolean;
  /** Sides of the picture are multiples of it, in pixels. */
  sizeMultiple: number;
  emptyLatent: "EmptyLatentImage" | "EmptySD3LatentImage";
  /** A1111's label of the schedule where the request names none; its samplers have their own otherwise. */
  schedule?: string;
  /** `type` of ComfyUI's loader for so many text encoder files. */
  encoderTypes: Readonly<Record<number, string>>;
  /** Of ModelSamplingAuraFlow, for models that ComfyUI draws with too small a shift unless it is told. */
  auraFlowShift?: number;
}

const LATENT_DIFFUSION: Omit<ModelFamily, "title"> = {
  isScaledLinear: true,
  hasClipSkip: false,
  zeroesEmptyNegative: false,
  hasDistilledGuidance: false,
  sizeMultiple: 8,
  emptyLatent: "EmptyLatentImage",
  encoderTypes: { 1: "stable_diffusion" },
};
const FLOW: Omit<ModelFamily, "title"> = {
  ...LATENT_DIFFUSION,
  isScaledLinear: false,
  sizeMultiple: 16,
  emptyLatent: "EmptySD3LatentImage",
  schedule: "Simple",
};

const FAMILIES = {
  sd1: { ...LATENT_DIFFUSION, title: "SD 1", hasClipSkip: true },
  sd2: { ...LATENT_DIFFUSION, title: "SD 2" },
  sdxl: { ...LATENT_DIFFUSION, title: "SDXL", zeroesEmptyNegative: true, encoderTypes: { 2: "sdxl" } },
  sdxlRefiner: { ...LATENT_DIFFUSION, title: "SDXL refiner", zeroesEmptyNegative: true, encoderTypes: {} },
  sd3: {
    ...FLOW,
    title: "SD 3",
    zeroesEmptyNegative: true,
    schedule: "SGM Uniform",
    encoderTypes: { 1: "sd3", 2: "sd3", 3: "sd3" },
  },
  flux: { ...FLOW, title: "Flux.1 dev", hasDistilledGuidance: true, encoderTypes: { 2: "flux" } },
  fluxSchnell: { ...FLOW, title: "Flux.1 schnell", encoderTypes: { 2: "flux" } },
  chroma: { ...FLOW, title: "Chroma", encoderTypes: { 1: "chroma" } },
  qwenImage: { ...FLOW, title: "Qwen-Image", encoderTypes: { 1: "qwen_image" }, auraFlowShift: 3.1 },
} satisfies Record<string, ModelFamily>;

export type FamilyName = keyof typeof FAMILIES;

export interface ModelKind {
  family: FamilyName;
  /** What a picture is in, in cells of a latent, as the model takes it: 4 or 16; 9 with a mask and a masked picture; 8 with a picture. */
  inputChannels: number;
  hasTextEncoders: boolean;
  hasVae: boolean;
  /** Has a schedule of its own in spite of its family. */
  hasOwnSchedule?: boolean;
}

/** How a checkpoint is drawn whose header cannot be read: a pickle, or one on a machine that is not ours. */
export const UNREAD_CHECKPOINT: ModelKind = { family: "sd1", inputChannels: 4, hasTextEncoders: true, hasVae: true };

export const familyOf = ({ family }: ModelKind): ModelFamily => FAMILIES[family];

/** Whether A1111's sigmas are the model's. */
export const isScaledLinear = (kind: ModelKind): boolean => familyOf(kind).isScaledLinear && !kind.hasOwnSchedule;

/** Whether the model takes a mask and the picture under it along (A1111's inpainting checkpoints). */
export const isInpaintingModel = ({ inputChannels }: ModelKind): boolean => inputChannels === 9;

/** Channels of the latents that are drawn without any other picture. */
const PLAIN_CHANNELS: ReadonlySet<number> = new Set([4, 9, 16]);

/** Whether it needs a picture to start from, as instruct-pix2pix, Flux Fill and video models do. */
export const needsPicture = ({ inputChannels }: ModelKind): boolean => !PLAIN_CHANNELS.has(inputChannels);

/** @returns null for a model of another kind. */
export function detectModel({ shapes }: SafetensorsHeader): ModelKind | null {
  const prefix = PREFIXES.find((start) => familyIn(shapes, start) !== undefined);
  const found = prefix === undefined ? undefined : familyIn(shapes, prefix);
  if (found === undefined) return null;
  const names = [...shapes.keys()];
  const hasAny = (starts: readonly string[]) => names.some((name) => starts.some((start) => name.startsWith(start)));
  return {
    ...found,
    hasTextEncoders: hasAny(TEXT_ENCODERS),
    hasVae: hasAny(VAES),
    ...(OWN_SCHEDULES.some((name) => shapes.has(name)) && { hasOwnSchedule: true }),
  };
}

type Shapes = SafetensorsHeader["shapes"];
type Found = Pick<ModelKind, "family" | "inputChannels">;

/** Of a checkpoint's diffusion model; of a file that holds nothing else. */
const PREFIXES = ["model.diffusion_model.", ""];
const TEXT_ENCODERS = ["cond_stage_model.", "conditioner.embedders.", "text_encoders."];
const VAES = ["first_stage_model.", "vae."];
/** Marks of Playground 2.5, and of models with zero terminal noise. */
const OWN_SCHEDULES = ["edm_mean", "ztsnr"];

/** By the width of the text that the model listens to. */
const UNETS: Readonly<Record<number, FamilyName>> = { 768: "sd1", 1024: "sd2", 1280: "sdxlRefiner", 2048: "sdxl" };

function familyIn(shapes: Shapes, prefix: string): Found | undefined {
  const shape = (name: string) => shapes.get(prefix + name);
  const has = (name: string) => shapes.has(prefix + name);
  /** Weights that are normed are called either. */
  const hasNorm = (name: string) => has(`${name}.scale`) || has(`${name}.weight`);
  const unetInput = shape("input_blocks.0.0.weight") ?? shape("conv_in.weight");
  if (unetInput !== undefined) {
    const family = UNETS[textWidth(shapes, prefix) ?? 0];
    return family && { family, inputChannels: unetInput[1] ?? 0 };
  }
  if (has("joint_blocks.0.context_block.attn.qkv.weight"))
    return { family: "sd3", inputChannels: shape("x_embedder.proj.weight")?.[1] ?? 16 };
  if (hasNorm("double_blocks.0.img_attn.norm.key_norm")) {
    // Flux.2 and Chroma Radiance draw in other ways.
    if (has("double_stream_modulation_img.lin.weight") || hasNorm("nerf_blocks.0.norm")) return undefined;
    const inputChannels = patchChannels(shape("img_in.weight"));
    if (hasNorm("distilled_guidance_layer.norms.0") || hasNorm("distilled_guidance_layer.0.norms.0"))
      return { family: "chroma", inputChannels };
    // Of Flux's many relatives, these two have a vector of 768 numbers besides the text.
    if (shape("vector_in.in_layer.weight")?.[1] !== 768) return undefined;
    return { family: has("guidance_in.in_layer.weight") ? "flux" : "fluxSchnell", inputChannels };
  }
  if (shape("txt_norm.weight")?.[0] === 3584 && !has("time_text_embed.addition_t_embedding.weight"))
    return { family: "qwenImage", inputChannels: patchChannels(shape("img_in.weight")) };
  return undefined;
}

/** These take pieces of 2x2 cells. */
const patchChannels = (input: readonly number[] | undefined) => (input?.[1] ?? 0) / 4;

const TEXT_ATTENTION = /^(input_blocks|down_blocks)\..*transformer_blocks\.0\.attn2\.to_k\.weight$/;
const TIME_LAYERS = /\.(time_stack|time_mix_blocks)\./;

/** Of the first attention to the text; undefined for video models, which have layers for time beside it. */
function textWidth(shapes: Shapes, prefix: string): number | undefined {
  const names = [...shapes.keys()].filter((name) => name.startsWith(prefix));
  if (names.some((name) => TIME_LAYERS.test(name))) return undefined;
  const attention = names.find((name) => TEXT_ATTENTION.test(name.slice(prefix.length)));
  return attention === undefined ? undefined : shapes.get(attention)![1];
}
