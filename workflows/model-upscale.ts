/** A graph that enlarges pictures by models: A1111's extras. */
import type { Graph } from "../runtime/comfyui/graph.ts";
import { GraphBuilder } from "./builder.ts";
import { addModelRuns, type Enlargement, type UpscaleModel } from "./upscalers.ts";

export interface ModelUpscale {
  /** Below ComfyUI's input folder. */
  image: string;
  model: UpscaleModel;
  enlargement: Enlargement;
}

/** @returns a graph with one picture per upscale, in order. */
export function buildModelUpscales(upscales: readonly ModelUpscale[]): Graph {
  const builder = new GraphBuilder();
  for (const [index, { image, model, enlargement }] of upscales.entries()) {
    const { runs, width, height } = enlargement;
    const source = builder.share("LoadImage", { image })(0);
    const scaled = builder.share("ImageScale", {
      image: addModelRuns(builder, source, model, runs),
      upscale_method: "lanczos",
      width,
      height,
      crop: "disabled",
    });
    builder.add("SaveImage", { images: scaled(0), filename_prefix: `extras_${String(index).padStart(3, "0")}` });
  }
  return builder.graph;
}
