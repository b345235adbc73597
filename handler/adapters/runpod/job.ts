/** What RunPod hands out. */
import { createHash } from "node:crypto";
import type { Dialect } from "../../invocation.ts";
import { invocationId } from "../../request/invocation-id.ts";
import { isWorkerComfyui } from "../../request/worker-comfyui.ts";

export interface Job {
  /** As RunPod knows it. */
  id: string;
  /** Whatever the caller sent, or nothing at all. */
  input: unknown;
  /** Milliseconds that the caller gives it. */
  timeoutMs?: number;
  batchId?: string;
}

/** Undefined for what has no id: nobody waits for it. */
export function readJob(item: unknown): Job | undefined {
  if (typeof item !== "object" || item === null) return undefined;
  const { id, input, policy, batchId } = item as Record<string, unknown>;
  if (typeof id !== "string" || id === "") return undefined;
  const timeoutMs = (policy as { executionTimeout?: unknown } | null | undefined)?.executionTimeout;
  return {
    id,
    input,
    ...(typeof timeoutMs === "number" && timeoutMs > 0 && { timeoutMs }),
    ...(typeof batchId === "string" && { batchId }),
  };
}

/** The invocation's id is part of keys and file names, which not every text can be. */
export function invocationIdOf(jobId: string): string {
  return invocationId.safeParse(jobId).success ? jobId : createHash("sha256").update(jobId).digest("hex");
}

/** worker-comfyui's users keep its answers; every other form has its own. */
export function dialectOf({ input }: Job): Dialect {
  return isWorkerComfyui(input) ? "worker-comfyui" : "auto";
}
