/** What a platform brings along to come under the contract. */
import type { RunningWorker } from "../support/endpoint.ts";

/** What the platform's caller learns. */
export type Outcome =
  | { status: "succeeded"; id: string | undefined; outputs: Buffer[] }
  | { status: "failed"; code: string; message: string; retryable: boolean };

export interface Sending {
  id: string;
  /** The platform's own time limit, in milliseconds. */
  timeoutMs?: number;
  /** The caller's trace. */
  trace?: string;
}

/** A worker, and the platform that brings it work. */
export interface Driver {
  worker: RunningWorker;
  /** Hands the work out at once; resolves with what comes back, if anything ever does. */
  invoke(payload: unknown, sending: Sending): Promise<Outcome>;
  /** What the platform does when the caller wants it no more. */
  cancel?(id: string): void;
  /** Resolves with the first that is told. */
  progress?(id: string): Promise<{ step: number; steps: number }>;
}

/** What not every platform has. */
export type Feature =
  | "time limit"
  | "cancel"
  | "largest answer"
  | "one run for two at once"
  | "one run for two in turn"
  | "progress"
  | "trace"
  | "order"
  | "probes"
  | "answer without a bucket";

export interface Platform {
  name: string;
  start(settings: Record<string, string>, atEnd: (stop: () => void | Promise<void>) => void): Promise<Driver>;
  /** What the platform has not, and why. */
  lacks: Partial<Record<Feature, string>>;
  /** Work waits with the platform until the engine serves; or it is taken at once, and waits here. */
  early: "left" | "taken";
  /** A failure that may pass is told to the caller, or the platform brings the work again by itself. */
  retryable: "told" | "brought again";
  /** Work that a worker had to leave is told to the caller, or the platform gives it to another worker. */
  interrupted: "told" | "left";
  /** The field of log lines that holds the caller's trace. */
  traceField?: string;
  /** A setting of its own with a value that it cannot have, before others that it takes to get there. */
  mistake: Record<string, string>;
}

interface Output {
  data?: string;
  text?: string;
  url?: string;
}

/** Of a body in our own form, A1111's or worker-comfyui's: those that it carries, and those that it has links to. */
export async function outputsOf({ outputs, images }: Record<string, unknown>): Promise<Buffer[]> {
  const listed = (outputs as Output[] | undefined) ?? (images as (string | Output)[]).map(asOutput);
  return Promise.all(listed.map(bytesOf));
}

const asOutput = (image: string | Output): Output => (typeof image === "string" ? { data: image } : image);

async function bytesOf({ data, text, url }: Output): Promise<Buffer> {
  if (url !== undefined) return Buffer.from(await (await fetch(url)).arrayBuffer());
  return text === undefined ? Buffer.from(data!, "base64") : Buffer.from(text);
}
