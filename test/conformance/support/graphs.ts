/** The graphs of the recordings. Model names are those of the tiny models, which every engine under test must have. */
export interface Node {
  class_type?: string;
  inputs?: Record<string, unknown>;
}
export type Graph = Record<string, Node>;

interface Txt2img {
  steps?: number;
  seed?: number;
  batch?: number;
}

export function txt2img({ steps = 4, seed = 1, batch = 1 }: Txt2img = {}): Graph {
  return {
    4: node("CheckpointLoaderSimple", { ckpt_name: "tiny-sd15.safetensors" }),
    5: node("EmptyLatentImage", { width: 64, height: 64, batch_size: batch }),
    6: node("CLIPTextEncode", { text: "a red fox", clip: ["4", 1] }),
    7: node("CLIPTextEncode", { text: "blurry", clip: ["4", 1] }),
    3: node("KSampler", {
      ...{ seed, steps, cfg: 7, sampler_name: "euler", scheduler: "normal", denoise: 1 },
      ...{ model: ["4", 0], positive: ["6", 0], negative: ["7", 0], latent_image: ["5", 0] },
    }),
    8: node("VAEDecode", { samples: ["3", 0], vae: ["4", 2] }),
    9: node("SaveImage", { filename_prefix: "t2i", images: ["8", 0] }),
  };
}

/** Long enough to act on while it samples: 300 steps are 5 s on a CPU. */
export const long = (seed: number, steps = 300): Graph => txt2img({ seed, steps });

export function img2img(seed: number): Graph {
  const { 5: _, ...graph } = txt2img({ seed });
  Object.assign(graph["3"]!.inputs!, { latent_image: ["11", 0], denoise: 0.5 });
  return {
    ...graph,
    10: node("LoadImage", { image: "photo.png" }),
    11: node("VAEEncode", { pixels: ["10", 0], vae: ["4", 2] }),
  };
}

interface Empty {
  size?: number;
  batch?: number;
  color?: number;
  prefix?: string;
}

/** EmptyImage to SaveImage: the smallest graph that does something, without a model. */
export function empty({ size = 8, batch = 1, color = 0x336699, prefix = "e" }: Empty = {}): Graph {
  return {
    1: node("EmptyImage", { width: size, height: size, batch_size: batch, color }),
    2: node("SaveImage", { filename_prefix: prefix, images: ["1", 0] }),
  };
}

export function node(class_type: string, inputs: Record<string, unknown>): Node {
  return { class_type, inputs };
}

/** A graph with some inputs of one node replaced; undefined removes an input. */
export function change(graph: Graph, id: string, inputs: Record<string, unknown>): Graph {
  const changed = { ...graph[id], inputs: { ...graph[id]?.inputs, ...inputs } };
  return structuredClone({ ...graph, [id]: JSON.parse(JSON.stringify(changed)) });
}
