import { inlineOutputs, type Outcome } from "./driver.ts";

interface Result {
  output?: Record<string, unknown>;
  error?: string;
}

/** What is posted to RunPod, read as its callers do. */
export function readRunpod({ output = {}, error }: Result): Outcome {
  if (error === undefined)
    return { status: "succeeded", id: output["id"] as string | undefined, outputs: inlineOutputs(output) };
  const { code, retryable } = output as { code: string; retryable: boolean };
  return { status: "failed", code, message: error, retryable };
}
