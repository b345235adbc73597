/** A1111's txt2img as a graph. */
import type { Graph } from "../runtime/comfyui/graph.ts";
import { exactInteger } from "../runtime/json.ts";
import { GraphBuilder } from "./builder.ts";

export interface Txt2Img {
  positivePrompt: string;
  negativePrompt: string;
  /** One per picture, 0 to 2^64-1. */
  seeds: readonly bigint[];
  steps: number;
  cfg: number;
  /** Pixels, multiples of 8. */
  width: number;
  height: number;
  /** ComfyUI's names. */
  sampler: string;
  scheduler: string;
  /** A name of CheckpointLoaderSimple's list. */
  checkpoint: string;
  /** Sampling of LCM models, where ComfyUI asks for a node of its own. */
  modelSampling?: "lcm";
}

/**
 * One sampler per picture over shared conditioning: A1111 gives every picture of a batch a generator of its own, while ComfyUI
 * draws one stream of noise for a whole batch, so that only a batch of one gives picture k what seed + k would give alone.
 */
export function buildTxt2Img(request: Txt2Img): Graph {
  const builder = new GraphBuilder();
  const checkpoint = builder.add("CheckpointLoaderSimple", { ckpt_name: request.checkpoint });
  const clip = checkpoint(1);
  const positive = builder.add("CLIPTextEncode", { text: request.positivePrompt, clip });
  const negative = builder.add("CLIPTextEncode", { text: request.negativePrompt, clip });
  const latent = builder.add("EmptyLatentImage", { width: request.width, height: request.height, batch_size: 1 });
  const model = request.modelSampling
    ? builder.add("ModelSamplingDiscrete", { model: checkpoint(0), sampling: request.modelSampling, zsnr: false })
    : checkpoint;

  for (const [index, seed] of request.seeds.entries()) {
    const samples = builder.add("KSampler", {
      model: model(0),
      positive: positive(0),
      negative: negative(0),
      latent_image: latent(0),
      seed: exactInteger(seed),
      steps: request.steps,
      cfg: request.cfg,
      sampler_name: request.sampler,
      scheduler: request.scheduler,
      denoise: 1,
    });
    const images = builder.add("VAEDecode", { samples: samples(0), vae: checkpoint(2) });
    builder.add("SaveImage", { images: images(0), filename_prefix: `txt2img_${String(index).padStart(3, "0")}` });
  }
  return builder.graph;
}
