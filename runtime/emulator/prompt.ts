/** A prompt as it was posted, and what the emulator has to run it with. */
import type { Catalogue } from "./catalogue.ts";
import type { NodeContext, NodeImplementation } from "./nodes/node.ts";

export interface PromptNode {
  class_type: string;
  /** Absent where the client left it out: ComfyUI accepts that of unconnected nodes, and dies of it. */
  inputs?: Record<string, unknown>;
  _meta?: { title?: unknown };
  is_changed?: unknown;
}

export type Prompt = Record<string, PromptNode>;

export interface Installation {
  catalogue: Catalogue;
  nodes: Record<string, NodeImplementation>;
  folders: NodeContext["folders"];
}
