/** What the emulator's executor asks of a node implementation, and the values that flow along links. */

/** ComfyUI's IMAGE: float 0..1, layout `[batch][height][width][channels]`, 1, 3 or 4 channels. */
export interface ImageBatch {
  kind: "image";
  batch: number;
  height: number;
  width: number;
  channels: number;
  data: Float32Array;
}

/** ComfyUI's MASK: float 0..1, layout `[batch][height][width]`. */
export interface MaskBatch {
  kind: "mask";
  batch: number;
  height: number;
  width: number;
  data: Float32Array;
}

export interface NodeContext {
  nodeId: string;
  promptId: string;
  /** The whole prompt and `extra_data.extra_pnginfo`, as SaveImage writes them into PNG metadata; undefined: none is wanted (`--disable-metadata`). */
  prompt: Record<string, unknown> | undefined;
  extraPnginfo: Record<string, unknown> | undefined;
  folders: { input: string; output: string; temp: string };
  /** Milliseconds that one sampling step takes. */
  stepDelayMs: number;
  /** Reports a step and lets the event loop turn; throws the executor's interrupt when one was asked for. A preview is sent when the client wants previews. */
  progress(value: number, max: number, preview?: () => Promise<Buffer>): Promise<void>;
  /** Sends an encoded picture as a binary frame (SaveImageWebsocket). */
  sendImage(bytes: Buffer, format: "png" | "jpeg"): void;
}

export interface NodeResult {
  /** One value per output slot. */
  outputs: unknown[];
  /** What `executed` and the history show: lists under the keys that the real node uses. */
  ui?: Record<string, unknown[]>;
}

export interface NodeImplementation {
  run(inputs: Record<string, unknown>, context: NodeContext): Promise<NodeResult> | NodeResult;
  /** IS_CHANGED: a value that joins the cache key; NaN means never cached. */
  isChanged?(inputs: Record<string, unknown>, context: Pick<NodeContext, "folders">): unknown;
  /** VALIDATE_INPUTS: `true`, or the text that `custom_validation_failed` carries. */
  validate?(inputs: Record<string, unknown>, context: Pick<NodeContext, "folders">): true | string;
}

/** An exception of a node, with the Python class name that ComfyUI would report as `exception_type`. */
export class NodeError extends Error {
  readonly exceptionType: string;
  constructor(exceptionType: string, message: string) {
    super(message);
    this.exceptionType = exceptionType;
  }
}
