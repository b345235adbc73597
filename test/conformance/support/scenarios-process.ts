import { change, empty, long, txt2img } from "./graphs.ts";
import type { Scenario, Scenarios } from "./scenarios-runs.ts";

const uuid = () => crypto.randomUUID();

/** Sampler previews; the server was started with `--preview-method latent2rgb --max-upload-size 1`. */
export const WITH_FLAGS: Scenarios = {
  "txt2img-previews-metadata": async (r) =>
    void (await r.simple(txt2img({ seed: 50 }), { flags: { supports_preview_metadata: true } })),
  "txt2img-previews-plain": async (r) => void (await r.simple(txt2img({ seed: 51 }))),
  "txt2img-previews-taesd": async (r) => {
    const fields = { extra_data: { preview_method: "taesd" } };
    await r.simple(txt2img({ seed: 52 }), { flags: { supports_preview_metadata: true }, fields });
  },
  "txt2img-previews-off-per-prompt": async (r) => {
    await r.simple(txt2img({ seed: 53 }), { fields: { extra_data: { preview_method: "none" } } });
  },
  "batch-previews": async (r) =>
    void (await r.simple(txt2img({ seed: 54, batch: 2 }), { flags: { supports_preview_metadata: true } })),
  "upload-too-large": async (r) => {
    const form = new FormData();
    form.set("image", new Blob([new Uint8Array(1_200_000)]), "big.png");
    await r.http("POST", "/upload/image", { raw: form });
    await r.post("/prompt", { prompt: empty(), pad: "x".repeat(1_200_000) });
    await r.get("/features");
  },
};

/** Each ends the process or its worker thread. */
export const DEADLY: Scenarios = {
  "worker-thread-killed": async (r) => {
    const clientId = uuid();
    const [killer, next] = [uuid(), uuid()];
    await r.client(clientId);
    await r.prompt({ ...empty(), 3: { class_type: "EmptyImage" } }, { client_id: clientId, prompt_id: killer });
    await r.untilLogged("(prompt_worker)");
    await r.prompt(empty(), { client_id: clientId, prompt_id: next });
    await r.get("/queue");
    await r.get(`/history/${killer}`);
    await r.post("/interrupt");
    await r.post("/queue", { clear: true });
    await r.get("/prompt");
  },
  "worker-thread-killed-by-extra-link": async (r) => {
    const clientId = uuid();
    const promptId = uuid();
    await r.client(clientId);
    await r.prompt(change(empty(), "1", { nonsense: ["99", 0] }), { client_id: clientId, prompt_id: promptId });
    await r.untilLogged("(prompt_worker)");
    await r.get("/queue");
    await r.get(`/history/${promptId}`);
  },
  "sigterm-idle": killed("SIGTERM", { isRunning: false }),
  "sigterm-running": killed("SIGTERM", { isRunning: true }),
  "sigint-idle": killed("SIGINT", { isRunning: false }),
  "sigint-running": killed("SIGINT", { isRunning: true }),
  "sigkill-running": killed("SIGKILL", { isRunning: true }),
};

function killed(signal: NodeJS.Signals, { isRunning }: { isRunning: boolean }): Scenario {
  return async (r) => {
    const clientId = uuid();
    const promptId = uuid();
    const socket = await r.client(clientId);
    if (isRunning) {
      await r.prompt(long(60, 400), { client_id: clientId, prompt_id: promptId });
      await r.untilSampling(socket, promptId);
    }
    await r.kill(signal);
    await r.get("/prompt");
  };
}
