/** What is known of one prompt, gathered from its messages or, when those were missed, from its history entry. */
import { EndpointError } from "../errors.ts";
import type { HistoryEntry } from "./client.ts";
import type { EngineMessage } from "./socket.ts";

/** Node id to what the node reported: lists of files, texts ... under the node's own keys. */
export type NodeOutputs = Record<string, Record<string, unknown>>;

export interface Progress {
  nodeId: string;
  value: number;
  max: number;
}

export interface PromptResult {
  outputs: NodeOutputs;
  /** Nodes whose results came from ComfyUI's cache. */
  cachedNodes: string[];
  /** Milliseconds since the epoch. */
  startedAt: number;
  finishedAt: number;
  /** When each node that ran began, in milliseconds since the epoch. */
  nodes: Record<string, { start: number }>;
}

type Verdict = "success" | "error" | "interrupted";

const VERDICTS: Record<string, Verdict> = {
  execution_success: "success",
  execution_error: "error",
  execution_interrupted: "interrupted",
};

const OUT_OF_MEMORY = new Set(["torch.OutOfMemoryError", "torch.cuda.OutOfMemoryError"]);

/** After these the CUDA context is dead although the process lives: every later prompt would fail. */
const BROKEN_GPU =
  /cuda runtime error|unspecified launch failure|device-side assert triggered|illegal memory access|triton error \[cuda\]|cuda error: (misaligned address|invalid device function|invalid configuration argument)/i;

/** @returns whether the text of an exception says that the GPU context is lost for good. */
export function isBrokenGpu(exceptionMessage: unknown): boolean {
  const text = String(exceptionMessage);
  return BROKEN_GPU.test(text) && !/out of memory/i.test(text);
}

export class PromptRecord {
  readonly outputs: NodeOutputs = {};
  readonly nodes: Record<string, { start: number }> = {};
  cachedNodes: string[] = [];
  startedAt: number | undefined;
  #verdict: Verdict | undefined;
  #failure: Record<string, unknown> = {};
  #finishedAt = 0;

  /** Takes in one message; true when it says that ComfyUI is done with the prompt, in whatever way. */
  apply({ type, data }: EngineMessage): boolean {
    switch (type) {
      case "execution_start":
        this.startedAt = Number(data["timestamp"] ?? Date.now());
        return false;
      case "execution_cached":
        this.cachedNodes = data["nodes"] as string[];
        return false;
      case "executed":
        // A cached output node without UI output sends null.
        if (data["output"]) this.outputs[String(data["node"])] = data["output"] as Record<string, unknown>;
        return false;
      case "executing":
        if (data["node"] === null) {
          this.#finishedAt = Date.now();
          return true;
        }
        this.nodes[String(data["node"])] ??= { start: Date.now() };
        return false;
      default:
        this.#judge(type, data);
        return false;
    }
  }

  /** Replaces what the messages told by the history entry, which is complete. */
  applyHistory(entry: HistoryEntry): void {
    Object.assign(this.outputs, entry.outputs);
    for (const [type, data] of entry.status.messages) {
      if (type === "execution_start") this.startedAt = Number(data["timestamp"]);
      if (type === "execution_cached") this.cachedNodes = data["nodes"] as string[];
      this.#judge(type, data);
    }
    this.#verdict ??= entry.status.status_str === "success" ? "success" : "error";
    this.#finishedAt = Date.now();
  }

  /**
   * The result of a finished prompt.
   * @throws EndpointError `execution_error`, `out_of_memory`, `comfyui_exited` (broken GPU), or `cancelled` when it was interrupted.
   */
  result(): PromptResult {
    if (this.#verdict === "error") throw executionError(this.#failure);
    if (this.#verdict === "interrupted") throw new EndpointError("cancelled", "the prompt was interrupted");
    return {
      outputs: this.outputs,
      cachedNodes: this.cachedNodes,
      nodes: this.nodes,
      startedAt: this.startedAt ?? this.#finishedAt,
      finishedAt: this.#finishedAt,
    };
  }

  /** The last verdict counts: an ExecutionBlocker sends an error and then a success, and a success it is. */
  #judge(type: string, data: Record<string, unknown>): void {
    const verdict = VERDICTS[type];
    if (verdict === undefined) return;
    this.#verdict = verdict;
    this.#failure = data;
  }
}

function executionError(failure: Record<string, unknown>): EndpointError {
  const message = String(failure["exception_message"] ?? "unknown cause").trim();
  const type = String(failure["exception_type"] ?? "Exception");
  const details = {
    node_id: failure["node_id"] ?? null,
    class_type: failure["node_type"] ?? null,
    exception_type: type,
    exception_message: message,
  };
  const where = `node ${details.node_id} (${details.class_type})`;
  const options = { details, cause: failure["traceback"] };
  if (isBrokenGpu(message))
    return new EndpointError("comfyui_exited", `the GPU context broke in ${where}: ${message}`, options);
  const outOfMemory = OUT_OF_MEMORY.has(type) || (type === "torch.AcceleratorError" && /out of memory/i.test(message));
  return new EndpointError(
    outOfMemory ? "out_of_memory" : "execution_error",
    `${where} raised ${type}: ${message}`,
    options,
  );
}
