/** RunPod's envelope, there and back. */
import { type Outcome, outputsOf } from "./driver.ts";

interface Result {
  output?: Record<string, unknown>;
  error?: string;
}

/** What its callers send; some forms of payloads are in its envelope already. */
export function enveloped(payload: unknown): { input: unknown } {
  const isEnveloped = typeof payload === "object" && payload !== null && "input" in payload;
  return { input: isEnveloped ? payload.input : payload };
}

/** What is posted to RunPod, read as its callers do. */
export async function readRunpod({ output = {}, error }: Result): Promise<Outcome> {
  if (error === undefined)
    return { status: "succeeded", id: output["id"] as string | undefined, outputs: await outputsOf(output) };
  const { code, retryable } = output as { code: string; retryable: boolean };
  return { status: "failed", code, message: error, retryable };
}
