import { empty, long, txt2img } from "./graphs.ts";
import type { Recording } from "./recording.ts";
import type { Scenarios } from "./scenarios-runs.ts";

const uuid = () => crypto.randomUUID();
const uuids = (count: number) => Array.from({ length: count }, uuid);

/** Starts a long prompt on a socket of its own and waits until it samples. */
async function startLong(r: Recording, seed: number, steps?: number, name?: string) {
  const clientId = uuid();
  const promptId = uuid();
  const socket = await r.client(clientId, undefined, name);
  await r.prompt(long(seed, steps), { client_id: clientId, prompt_id: promptId });
  await r.untilSampling(socket, promptId);
  return { clientId, promptId, socket };
}

/** Interrupts, the queue, sockets that come and go, history. */
export const QUEUE: Scenarios = {
  "interrupt-global": async (r) => {
    const { promptId, socket } = await startLong(r, 20);
    await r.get("/prompt");
    await r.post("/interrupt");
    await r.untilDone(socket, promptId);
    await r.get(`/history/${promptId}`);
    await r.post("/interrupt", {});
    await r.simple(empty({ color: 14 }));
  },

  "interrupt-by-id": async (r) => {
    const { clientId, promptId, socket } = await startLong(r, 21);
    const pending = uuid();
    await r.prompt(long(22, 60), { client_id: clientId, prompt_id: pending });
    await r.post("/interrupt", { prompt_id: pending });
    await r.untilFurther(socket, promptId);
    await r.post("/interrupt", { prompt_id: uuid() });
    await r.untilFurther(socket, promptId);
    await r.get("/prompt");
    await r.post("/interrupt", { prompt_id: promptId });
    await r.untilDone(socket, promptId);
    await r.untilDone(socket, pending);
  },

  "queue-delete-and-clear": async (r) => {
    const { clientId, promptId, socket } = await startLong(r, 23, 200);
    const pending = uuids(3);
    for (const [index, id] of pending.entries())
      await r.prompt(empty({ color: 101 + index }), { client_id: clientId, prompt_id: id });
    await r.get("/queue");
    await r.post("/queue", { delete: [pending[1], uuid(), promptId] });
    await r.get("/queue");
    await r.get(`/history/${pending[1]}`);
    await r.post("/queue", { clear: true });
    await r.get("/prompt");
    await r.untilDone(socket, promptId);
    await r.get(`/history/${pending[0]}`);
  },

  "queue-order": async (r) => {
    const { clientId, promptId, socket } = await startLong(r, 24, 60);
    const orders = [{}, { front: true }, { front: true }, { number: -0.5 }];
    const pending = uuids(orders.length);
    for (const [index, id] of pending.entries())
      await r.prompt(empty({ color: 201 + index }), { client_id: clientId, prompt_id: id, ...orders[index] });
    await r.get("/queue");
    for (const id of [promptId, ...pending]) await r.untilDone(socket, id);
  },

  "duplicate-prompt-id": async (r) => {
    const clientId = uuid();
    const promptId = uuid();
    const socket = await r.client(clientId);
    await r.prompt(empty({ color: 301 }), { client_id: clientId, prompt_id: promptId });
    await r.untilDone(socket, promptId);
    socket.received.length = 0;
    await r.prompt(empty({ color: 302 }), { client_id: clientId, prompt_id: promptId });
    await r.untilDone(socket, promptId);
    await r.get(`/history/${promptId}`);
  },

  "two-prompts-two-clients": async (r) => {
    const [a, b, slow, quick] = [uuid(), uuid(), uuid(), uuid()];
    const first = await r.client(a, undefined, "a");
    const second = await r.client(b, undefined, "b");
    await r.prompt(txt2img({ seed: 40 }), { client_id: a, prompt_id: slow });
    await r.prompt(empty({ color: 500 }), { client_id: b, prompt_id: quick });
    await r.untilDone(first, slow);
    await r.untilDone(second, quick);
  },

  "reconnect-same-id-clean": async (r) => {
    const { clientId, promptId, socket } = await startLong(r, 25, 60, "first");
    await socket.close();
    const second = await r.client(clientId, undefined, "second");
    await r.untilDone(second, promptId);
  },

  "reconnect-same-id-overlap": async (r) => {
    const { clientId, promptId, socket } = await startLong(r, 26, 200, "first");
    const second = await r.client(clientId, undefined, "second");
    await r.untilSampling(second, promptId);
    await socket.close();
    await r.untilInHistory(promptId);
  },

  "reconnect-fresh-id": async (r) => {
    const { promptId, socket } = await startLong(r, 27, 150, "first");
    await socket.close();
    const fresh = await r.client(uuid(), undefined, "fresh");
    await r.until(fresh, ({ type, data }) => type === "status" && !("sid" in data));
    await r.untilInHistory(promptId);
  },

  "history-life": async (r) => {
    const clientId = uuid();
    const [running, pending] = [uuid(), uuid()];
    const socket = await r.client(clientId);
    await r.get(`/history/${running}`);
    await r.prompt(long(28, 60), { client_id: clientId, prompt_id: running });
    await r.prompt(empty({ color: 401 }), { client_id: clientId, prompt_id: pending });
    await r.untilSampling(socket, running);
    await r.get(`/history/${running}`);
    await r.get(`/history/${pending}`);
    await r.untilDone(socket, pending);
    await r.get(`/history/${pending}`);
    await r.get("/history?max_items=1");
    await r.post("/history", { delete: [pending] });
    await r.get(`/history/${pending}`);
    await r.post("/history", { clear: true });
    await r.get("/history");
  },

  "jobs-api": async (r) => {
    const clientId = uuid();
    const [running, cancelled, last] = [uuid(), uuid(), uuid()];
    const socket = await r.client(clientId);
    const extra_data = { extra_pnginfo: { workflow: { id: "wf-1" } } };
    await r.prompt(long(29, 150), { client_id: clientId, prompt_id: running, extra_data });
    await r.prompt(empty({ color: 402 }), { client_id: clientId, prompt_id: cancelled });
    await r.prompt(empty({ color: 403 }), { client_id: clientId, prompt_id: last });
    await r.untilSampling(socket, running);
    const reads = [
      "/api/jobs",
      "/api/jobs?status=pending&limit=1",
      `/api/jobs/${running}`,
      `/api/jobs/${uuid()}`,
      "/jobs",
    ];
    for (const path of reads) await r.get(path);
    await r.post(`/api/jobs/${cancelled}/cancel`);
    await r.post(`/api/jobs/${running}/cancel`);
    await r.untilDone(socket, last);
    await r.post(`/api/jobs/${running}/cancel`);
    await r.post("/api/jobs/not-a-uuid/cancel");
    await r.post("/api/jobs/cancel", { job_ids: [uuid(), "bad"] });
    await r.post("/api/jobs/cancel", { job_ids: [uuid()] });
    await r.get("/api/jobs?status=completed,failed,cancelled");
    await r.get("/api/jobs?status=nope");
    await r.get(`/api/jobs/${running}`);
    await r.get(`/api/jobs/${last}`);
  },

  // Posted while the prompt is in the worker's hands, `/free` is carried out right after it.
  "free-memory": async (r) => {
    const clientId = uuid();
    const socket = await r.client(clientId);
    for (const freed of [{ unload_models: true, free_memory: true }, { unload_models: true }, undefined]) {
      const promptId = uuid();
      await r.prompt(txt2img({ seed: 30, steps: 1 }), { client_id: clientId, prompt_id: promptId });
      await r.post("/free", freed);
      await r.untilDone(socket, promptId);
    }
    await r.post("/free", {});
  },
};
