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
  invoke(payload: object, sending: Sending): Promise<Outcome>;
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
  | "trace";

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
}

/** Of a body that carries its outputs, in our own form or A1111's. */
export function inlineOutputs({ outputs, images }: Record<string, unknown>): Buffer[] {
  if (outputs === undefined) return (images as string[]).map((data) => Buffer.from(data, "base64"));
  return (outputs as { data?: string; text?: string }[]).map(({ data, text }) =>
    text === undefined ? Buffer.from(data!, "base64") : Buffer.from(text),
  );
}
