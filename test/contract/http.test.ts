/** Whoever calls over HTTP; by the route that takes every form of payload. */
import { startEndpoint } from "../support/endpoint.ts";
import { adapterContract } from "./adapter-contract.ts";
import { type Outcome, outputsOf } from "./driver.ts";

adapterContract({
  name: "http",
  early: "taken",
  retryable: "told",
  interrupted: "told",
  traceField: "traceparent",
  lacks: {},
  mistake: { PORT: "high" },
  start: async (settings, atEnd) => {
    const endpoint = await startEndpoint(settings, atEnd);
    const callers = new Map<string, AbortController>();
    return {
      worker: endpoint,
      invoke: async (payload, { id, timeoutMs, trace }) => {
        const caller = new AbortController();
        callers.set(id, caller);
        const headers = {
          "content-type": "application/json",
          "idempotency-key": id,
          ...(timeoutMs !== undefined && { "x-timeout-ms": String(timeoutMs) }),
          ...(trace !== undefined && { traceparent: trace }),
        };
        return read(await endpoint.post("/invocations", payload, { headers, signal: caller.signal }));
      },
      cancel: (id) => callers.get(id)!.abort(),
      progress: async () => {
        await endpoint.sampling();
        const { state } = (await (await fetch(`${endpoint.url}/sdapi/v1/progress?skip_current_image=true`)).json()) as {
          state: { sampling_step: number; sampling_steps: number };
        };
        return { step: state.sampling_step, steps: state.sampling_steps };
      },
    };
  },
});

async function read(response: Response): Promise<Outcome> {
  const body = (await response.json()) as Record<string, unknown>;
  if (response.ok) return { status: "succeeded", id: body["id"] as string | undefined, outputs: await outputsOf(body) };
  const { code, message, retryable } = body["error"] as { code: string; message: string; retryable: boolean };
  return { status: "failed", code, message, retryable };
}
