/** The prompt that is running: how far it is, and what its client is told of it. */
import type { NodeRun } from "./cache.ts";
import { Progress } from "./progress.ts";
import type { Prompt } from "./prompt.ts";
import type { ExecutionResult, QueueItem } from "./queue.ts";
import type { Sockets } from "./sockets.ts";

const PREVIEW_METHODS = ["none", "auto", "latent2rgb", "taesd"];

/** Stands for a client id that no socket can have (ComfyUI takes any JSON value): private messages go nowhere. */
const NOBODY = "\0nobody";

interface RunOptions {
  sockets: Sockets;
  previewMethod: string;
  previewSize: number;
}

export class Run {
  readonly item: QueueItem;
  readonly prompt: Prompt;
  /** Whom it is told to; null: nobody asked. */
  readonly sid: string | null;
  readonly previewSize: number | undefined;
  readonly progress: Progress;
  readonly results = new Map<string, NodeRun>();
  readonly executed: string[] = [];
  readonly outputs: ExecutionResult["outputs"] = {};
  readonly messages: ExecutionResult["status"]["messages"] = [];
  readonly #sockets: Sockets;

  constructor(item: QueueItem, { sockets, previewMethod, previewSize }: RunOptions) {
    const { client_id: client, preview_method: asked } = item.extraData;
    const method = typeof asked === "string" && PREVIEW_METHODS.includes(asked) ? asked : previewMethod;
    this.item = item;
    // The nodes' IS_CHANGED values are written into the graph that runs, not into the one that history shows.
    this.prompt = Object.fromEntries(Object.entries(item.prompt).map(([id, node]) => [id, { ...node }]));
    this.sid = client === null || client === undefined ? null : typeof client === "string" ? client : NOBODY;
    this.previewSize = method === "none" ? undefined : previewSize;
    this.progress = new Progress(sockets, item.promptId, this.sid);
    this.#sockets = sockets;
  }

  /** Records a message for the history and sends it to the prompt's client. */
  announce(type: string, data: Record<string, unknown>, broadcast = false): void {
    const message = { ...data, timestamp: Date.now() };
    this.messages.push([type, message]);
    if (this.sid !== null || broadcast) this.#sockets.send(type, message, this.sid);
  }

  tell(type: string, data: Record<string, unknown>): void {
    if (this.sid !== null) this.#sockets.send(type, { ...data, prompt_id: this.item.promptId }, this.sid);
  }
}
