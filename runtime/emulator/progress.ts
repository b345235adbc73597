/** What a client hears while nodes run: `progress_state`, `progress` (throttled as in 0.33.0) and picture frames. */
import { setTimeout as delay, setImmediate as turn } from "node:timers/promises";
import sharp from "sharp";
import { FRAME, type Sockets, u32 } from "./sockets.ts";

/** Raised inside a node when an interrupt was asked for. */
export class InterruptError extends Error {}

interface NodeState {
  value: number;
  max: number;
  state: "running" | "finished";
}

const THROTTLE = { minIntervalMs: 100, minPercent: 0.5 };
const FRAME_FORMATS = { jpeg: 1, png: 2 } as const;
const PREVIEW_QUALITY = 95;

/** The state of one prompt's nodes; the whole map goes out at each change. */
export class Progress {
  readonly #nodes: Record<string, NodeState> = {};
  readonly #sockets: Sockets;
  readonly #promptId: string;
  readonly #sid: string | null;

  constructor(sockets: Sockets, promptId: string, sid: string | null) {
    this.#sockets = sockets;
    this.#promptId = promptId;
    this.#sid = sid;
  }

  start(id: string): void {
    this.#set(id, { value: 0, max: 1, state: "running" });
  }

  finish(id: string): void {
    const max = this.#nodes[id]?.max ?? 1;
    this.#set(id, { value: max, max, state: "finished" });
  }

  /** One step with all its messages. With type 4 the frame comes before `progress`, with type 1 after it. */
  update(id: string, value: number, max: number, frame?: { bytes: Buffer; format: keyof typeof FRAME_FORMATS }): void {
    this.#set(id, { value, max, state: "running" });
    const hasMetadata = this.#sockets.hasFeature(this.#sid, "supports_preview_metadata");
    if (frame !== undefined && hasMetadata) this.#sendFrame(id, frame);
    this.#sockets.send("progress", { value, max, prompt_id: this.#promptId, node: id }, this.#sid);
    if (frame !== undefined && !hasMetadata)
      this.#sockets.sendFrame(FRAME.preview, Buffer.concat([u32(FRAME_FORMATS[frame.format]), frame.bytes]), this.#sid);
  }

  #sendFrame(id: string, { bytes, format }: { bytes: Buffer; format: string }): void {
    const ids = { node_id: id, prompt_id: this.#promptId, display_node_id: id, parent_node_id: null, real_node_id: id };
    const metadata = Buffer.from(JSON.stringify({ ...ids, image_type: `image/${format}` }));
    this.#sockets.sendFrame(
      FRAME.previewWithMetadata,
      Buffer.concat([u32(metadata.length), metadata, bytes]),
      this.#sid,
    );
  }

  #set(id: string, state: NodeState): void {
    this.#nodes[id] = state;
    const rows = Object.entries(this.#nodes).map(([nodeId, node]) => [
      nodeId,
      {
        ...node,
        node_id: nodeId,
        prompt_id: this.#promptId,
        display_node_id: nodeId,
        parent_node_id: null,
        real_node_id: nodeId,
      },
    ]);
    this.#sockets.send("progress_state", { prompt_id: this.#promptId, nodes: Object.fromEntries(rows) }, this.#sid);
  }
}

interface BarOptions {
  throwIfInterrupted(): void;
  stepDelayMs: number;
  /** Undefined: no previews. */
  previewSize: number | undefined;
  /** The node's steps are its pictures (SaveImageWebsocket): each goes out with its frame, unthrottled. */
  stepsArePictures: boolean;
}

/** One node's progress bar. */
export class ProgressBar {
  readonly #progress: Progress;
  readonly #id: string;
  readonly #options: BarOptions;
  #sent: { value: number; atMs: number } | undefined;
  #held: { value: number; max: number } | undefined;

  constructor(progress: Progress, id: string, options: BarOptions) {
    this.#progress = progress;
    this.#id = id;
    this.#options = options;
  }

  async step(value: number, max: number, preview?: () => Promise<Buffer>): Promise<void> {
    await (this.#options.stepsArePictures ? turn() : delay(this.#options.stepDelayMs));
    this.#options.throwIfInterrupted();
    const size = this.#options.previewSize;
    const picture = preview === undefined || size === undefined ? undefined : await scale(await preview(), size);
    if (this.#options.stepsArePictures) {
      this.#held = { value, max };
      return;
    }
    const percent = ((value - Math.max(0, this.#sent?.value ?? 0)) / max) * 100;
    const isDue =
      picture !== undefined ||
      this.#sent === undefined ||
      value >= max ||
      (performance.now() - this.#sent.atMs >= THROTTLE.minIntervalMs && percent >= THROTTLE.minPercent);
    if (!isDue) return;
    this.#sent = { value, atMs: performance.now() };
    this.#progress.update(this.#id, value, max, picture && { bytes: picture, format: "jpeg" });
  }

  /** Sends the picture of the step last reported. */
  sendImage(bytes: Buffer, format: "png" | "jpeg"): void {
    const { value, max } = this.#held ?? { value: 0, max: 1 };
    this.#progress.update(this.#id, value, max, { bytes, format });
  }
}

/** ComfyUI scales previews up as well: the longest side is exactly the preview size. */
async function scale(picture: Buffer, size: number): Promise<Buffer> {
  return sharp(picture)
    .resize({ width: size, height: size, fit: "inside" })
    .jpeg({ quality: PREVIEW_QUALITY })
    .toBuffer();
}
