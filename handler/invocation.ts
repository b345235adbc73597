/** One unit of work from a platform, and what becomes of it. */
import type { Progress } from "../runtime/comfyui/prompt-record.ts";
import type { EndpointError } from "../runtime/errors.ts";

/** Whose request and response shapes are spoken; `auto` finds out from the payload and answers raw graphs in our own form. */
export type Dialect =
  | "auto"
  | "comfyui-api"
  | "worker-comfyui"
  | "sdapi/txt2img"
  | "sdapi/img2img"
  | "sdapi/extra-single-image"
  | "sdapi/extra-batch-images";

export interface Invocation {
  /** The platform's id; where it has none, the payload's own is used, then the idempotency key, then a random one. */
  id?: string;
  idempotencyKey?: string;
  /** Which adapter took it in; for the log. */
  source: string;
  /** 1 for the first delivery. */
  attempt: number;
  dialect: Dialect;
  /** As received, parsed by `parseJson`. */
  payload: unknown;
  /** Its reason is an EndpointError. */
  signal: AbortSignal;
  /** Milliseconds that the platform gives it from now on; the operator's limit holds where that is less. */
  timeoutMs?: number;
  /** Bytes of the largest answer, as JSON, that the platform carries. */
  maxAnswerBytes?: number;
  /** Is told of each step of the sampling. */
  tell?(progress: Progress): void;
}

/** Milliseconds. */
export interface Timings {
  queued: number;
  preparing: number;
  running: number;
  delivering: number;
  total: number;
}

export type InvocationResult =
  | {
      id: string;
      status: "succeeded";
      body: unknown;
      /** Another body, which names the outputs by their places in the bucket; only when all of them are there. */
      links?: unknown;
    }
  | { id: string; status: "failed"; error: EndpointError };
