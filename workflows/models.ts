/** The models of a generation as loader nodes. */
import type { Link } from "../runtime/comfyui/graph.ts";
import type { GraphBuilder } from "./builder.ts";

export interface Models {
  /** A name of CheckpointLoaderSimple's list. */
  checkpoint: string;
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
  textEncoder: number;
  unet: number;
}

export interface ModelLinks {
  model: Link;
  clip: Link;
  vae: Link;
}

/** Loaders that were added before are used again. */
export function addModels(
  builder: GraphBuilder,
  { checkpoint, vae, loras, hypernetworks, clipSkip, tokenMerging = 0 }: Models,
): ModelLinks {
  const loaded = builder.share("CheckpointLoaderSimple", { ckpt_name: checkpoint });
  let [model, clip] = [loaded(0), loaded(1)];
  for (const { file, textEncoder, unet } of loras) {
    const strengths = { strength_model: unet, strength_clip: textEncoder };
    const lora = builder.share("LoraLoader", { model, clip, lora_name: file, ...strengths });
    [model, clip] = [lora(0), lora(1)];
  }
  for (const { file, strength } of hypernetworks)
    model = builder.share("HypernetworkLoader", { model, hypernetwork_name: file, strength })(0);
  if (tokenMerging > 0) model = builder.share("TomePatchModel", { model, ratio: tokenMerging })(0);
  if (clipSkip > 1) clip = builder.share("CLIPSetLastLayer", { clip, stop_at_clip_layer: -clipSkip })(0);
  return { model, clip, vae: vae === undefined ? loaded(2) : builder.share("VAELoader", { vae_name: vae })(0) };
}
