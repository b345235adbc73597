/** RunPod's API on a desk, by its route that waits for the result. */
import { startEndpoint } from "../support/endpoint.ts";
import { adapterContract } from "./adapter-contract.ts";
import { enveloped, readRunpod } from "./runpod-result.ts";

const EACH_FOR_ITSELF = "each request is answered for itself, whatever its id";

adapterContract({
  name: "runpod-api",
  early: "taken",
  retryable: "told",
  interrupted: "told",
  lacks: {
    "time limit": "its requests have no policy",
    "largest answer": "nothing lies between the worker and its caller",
    "one run for two at once": EACH_FOR_ITSELF,
    "one run for two in turn": EACH_FOR_ITSELF,
    progress: "its library tells none there",
    trace: "a job has nothing but its id",
    probes: "its one health route is RunPod's own, for clients",
  },
  mistake: { RUNPOD_API_PORT: "high" },
  start: async (settings, atEnd) => {
    const place = { HANDLER_MODE: "runpod-api", RUNPOD_API_PORT: "0", RUNPOD_ENDPOINT_ID: "ep1" };
    const endpoint = await startEndpoint({ ...place, ...settings }, atEnd);
    const callers = new Map<string, AbortController>();
    return {
      worker: endpoint,
      invoke: async (payload, { id }) => {
        const caller = new AbortController();
        callers.set(id, caller);
        const response = await endpoint.post("/ep1/realtime", { id, ...enveloped(payload) }, { signal: caller.signal });
        return readRunpod((await response.json()) as object);
      },
      cancel: (id) => callers.get(id)!.abort(),
    };
  },
});
