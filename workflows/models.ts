/** The models of a generation as loader nodes. */
import type { Link } from "../runtime/comfyui/graph.ts";
import { EndpointError } from "../runtime/errors.ts";
import type { GraphBuilder } from "./builder.ts";
import { familyOf, type ModelKind, UNREAD_CHECKPOINT } from "./model-family.ts";

export interface Models {
  /** A name of CheckpointLoaderSimple's list, or of UNETLoader's. */
  checkpoint: string;
  /** Whether it is of UNETLoader's: a diffusion model alone. */
  isBare?: boolean;
  /** {@link UNREAD_CHECKPOINT} if there is none. */
  kind?: ModelKind;
  /** Names of CLIPLoader's list; the checkpoint's own if there are none. */
  textEncoders?: readonly string[];
  /** A name of VAELoader's list; the checkpoint's own if there is none. */
  vae?: string;
  /** In the order in which they are applied. */
  loras: LoadedLora[];
  hypernetworks: { file: string; strength: number }[];
  /** Layers of the text encoder to leave out at its end, plus one (A1111's clip skip). */
  clipSkip: number;
  /** Share of the tokens that are merged while drawing, 0 to 1 (A1111's token merging ratio). */
  tokenMerging?: number;
}

export interface LoadedLora {
  file: string;
  /** What the request calls it. */
  mention?: string;
  textEncoder: number;
  unet: number;
}

export interface ModelLinks {
  model: Link;
  clip: Link;
  vae: Link;
}

/**
 * Loaders that were added before are used again.
 * @throws EndpointError `invalid_request` for a model without text encoders or VAE, for which there are no others.
 */
export function addModels(builder: GraphBuilder, models: Models): ModelLinks {
  const { loras, hypernetworks, clipSkip, tokenMerging = 0, kind = UNREAD_CHECKPOINT } = models;
  const family = familyOf(kind);
  const loaded = addLoaders(builder, models, kind);
  let { model, clip } = loaded;
  for (const { file, textEncoder, unet } of loras) {
    const strengths = { strength_model: unet, strength_clip: textEncoder };
    const lora = builder.share("LoraLoader", { model, clip, lora_name: file, ...strengths });
    [model, clip] = [lora(0), lora(1)];
  }
  for (const { file, strength } of hypernetworks)
    model = builder.share("HypernetworkLoader", { model, hypernetwork_name: file, strength })(0);
  if (tokenMerging > 0) model = builder.share("TomePatchModel", { model, ratio: tokenMerging })(0);
  if (clipSkip > 1 && family.hasClipSkip)
    clip = builder.share("CLIPSetLastLayer", { clip, stop_at_clip_layer: -clipSkip })(0);
  if (family.auraFlowShift !== undefined)
    model = builder.share("ModelSamplingAuraFlow", { model, shift: family.auraFlowShift })(0);
  const vae = models.vae === undefined ? loaded.vae : builder.share("VAELoader", { vae_name: models.vae })(0);
  return { model, clip, vae };
}

/** With the checkpoint's own VAE, if it has one. */
function addLoaders(builder: GraphBuilder, models: Models, kind: ModelKind): ModelLinks {
  const { checkpoint, isBare = false, textEncoders = [], vae } = models;
  const loaded = isBare
    ? builder.share("UNETLoader", { unet_name: checkpoint, weight_dtype: "default" })
    : builder.share("CheckpointLoaderSimple", { ckpt_name: checkpoint });
  if (textEncoders.length === 0 && (isBare || !kind.hasTextEncoders)) throw lacking(models, kind, "text encoders");
  if (vae === undefined && (isBare || !kind.hasVae)) throw lacking(models, kind, "a VAE");
  return {
    model: loaded(0),
    clip: textEncoders.length > 0 ? addTextEncoders(builder, models, textEncoders, kind) : loaded(1),
    vae: loaded(2),
  };
}

/** By the number of files. The order of several does not matter: ComfyUI knows them by their tensors. */
const ENCODER_LOADERS = ["CLIPLoader", "DualCLIPLoader", "TripleCLIPLoader"];

function addTextEncoders(
  builder: GraphBuilder,
  { checkpoint }: Models,
  files: readonly string[],
  kind: ModelKind,
): Link {
  const { title, encoderTypes } = familyOf(kind);
  const type = encoderTypes[files.length];
  const loader = ENCODER_LOADERS[files.length - 1];
  if (type === undefined || loader === undefined) {
    const counts = Object.keys(encoderTypes).join(" or ") || "no";
    throw invalidModules(
      `'${checkpoint}' is a model of the kind ${title}, which takes ${counts} text encoders, not ${files.length}: ${files.join(", ")}`,
    );
  }
  const names =
    files.length === 1
      ? { clip_name: files[0] }
      : Object.fromEntries(files.map((file, index) => [`clip_name${index + 1}`, file]));
  return builder.share(loader, loader === "TripleCLIPLoader" ? names : { ...names, type })(0);
}

function lacking({ checkpoint }: Models, kind: ModelKind, what: string): EndpointError {
  const { title, encoderTypes } = familyOf(kind);
  const counts = Object.keys(encoderTypes).join(" or ") || "no";
  return invalidModules(
    `'${checkpoint}' (${title}) comes without ${what}; name the files of its VAE and of its ${counts} text encoders`,
  );
}

function invalidModules(message: string): EndpointError {
  const field = "override_settings.forge_additional_modules";
  return new EndpointError("invalid_request", `${field}: ${message}`, { details: { field } });
}
