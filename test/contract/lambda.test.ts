/** AWS Lambda's Runtime API. */
import { startWorker } from "../support/endpoint.ts";
import { startLambdaRuntime } from "../support/lambda-runtime.ts";
import { adapterContract } from "./adapter-contract.ts";
import { outputsOf } from "./driver.ts";

const EACH_ITS_OWN = "Lambda gives each request an id of its own";

adapterContract({
  name: "lambda",
  early: "left",
  retryable: "told",
  interrupted: "told",
  traceField: "traceId",
  lacks: {
    cancel: "Lambda ends an invocation by its deadline alone",
    "one run for two at once": EACH_ITS_OWN,
    "one run for two in turn": EACH_ITS_OWN,
    progress: "the Runtime API takes nothing but the answer",
    probes: "nobody can reach a function but by its Runtime API",
  },
  mistake: { AWS_LAMBDA_MAX_CONCURRENCY: "many" },
  start: async (settings, atEnd) => {
    const runtime = await startLambdaRuntime(atEnd);
    const worker = startWorker({ ...runtime.settings, ...settings }, atEnd);
    return {
      worker,
      invoke: async (payload, { id, timeoutMs, trace }) => {
        const { kind, body: answer } = await runtime.invoke(payload, {
          requestId: id,
          ...(timeoutMs !== undefined && { deadlineMs: Date.now() + timeoutMs }),
          ...(trace !== undefined && { headers: { "lambda-runtime-trace-id": trace } }),
        });
        const body = answer as Record<string, unknown>;
        if (kind === "response")
          return { status: "succeeded", id: body["id"] as string | undefined, outputs: await outputsOf(body) };
        const {
          errorType: code,
          errorMessage: message,
          retryable,
        } = body as Record<string, string> & {
          retryable: boolean;
        };
        return { status: "failed", code: code!, message: message!, retryable };
      },
    };
  },
});
