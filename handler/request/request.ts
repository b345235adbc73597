/** What a payload means, once read: a graph to run, where the outputs go, and how the answer looks. */
import type { Catalogue } from "../../runtime/comfyui/catalogue.ts";
import type { Graph } from "../../runtime/comfyui/graph.ts";
import type { PromptResult } from "../../runtime/comfyui/prompt-record.ts";
import type { InputFile } from "../../runtime/input-files.ts";
import type { ModelFiles } from "../../runtime/model-files.ts";
import type { Timings } from "../invocation.ts";
import type { Artifact, DeliveredOutput } from "../outputs/output.ts";
import type { Delivery } from "./delivery.ts";

/** What the worker has. */
export interface Inventory {
  /** ComfyUI's nodes with the model files that they can load. */
  catalogue: Catalogue;
  /** Those of them that lie on a disk of ours. */
  models: ModelFiles;
  /** Whether ComfyUI's lists were read for this request; before that, a name that is missing may be that of a new file. */
  isFresh: boolean;
}

export interface Request {
  /** For the log: `graph`, `sdapi/txt2img` ... */
  kind: string;
  /** The id that the payload carries. */
  id?: string;
  delivery: Delivery;
  /** `extra_data` of the prompt. */
  extraData: Record<string, unknown>;
  /** Only where ComfyUI is not needed at all: `build` is then not asked. */
  make?(signal: AbortSignal): Promise<Made>;
  /** @throws EndpointError that names what this engine lacks or what is wrong with the graph. */
  build(inventory: Inventory): Promise<BuiltGraph | Made>;
}

/** A request that ComfyUI is always needed for. */
export interface GraphRequest extends Request {
  build(inventory: Inventory): Promise<BuiltGraph>;
}

/** Outputs that are there. */
export interface Made {
  artifacts: Artifact[];
  /** The answer's JSON in the dialect's own shape. */
  encode(done: Delivered): unknown;
}

export interface BuiltGraph {
  graph: Graph;
  /** Pictures that the graph loads. */
  inputs?: readonly InputFile[];
  /** What is done to picture `index` of the outputs, PNG files, before it gets the format that was asked for. */
  retouch?(pictures: readonly Buffer[], index: number): Promise<Buffer>;
  /** Makes of all pictures, PNG files, those that are delivered; after `retouch`. */
  compose?(pictures: Buffer[]): Promise<Buffer[]>;
  /** What is done to the outputs before they are delivered. */
  finish?(artifacts: Artifact[]): Artifact[] | Promise<Artifact[]>;
  /** The answer's JSON in the dialect's own shape. */
  encode(done: Completed): unknown;
}

export interface Delivered {
  id: string;
  outputs: DeliveredOutput[];
  timings: Timings;
}

export interface Completed extends Delivered {
  /** As it was executed. */
  graph: Graph;
  run: PromptResult;
}
