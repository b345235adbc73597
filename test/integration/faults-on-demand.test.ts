import { expect, test } from "vitest";
import { startEndpoint } from "../support/endpoint.ts";
import { colourGraph, quickTxt2Img } from "../support/payloads.ts";

/** The emulator, with faults that a real engine cannot be made to have on demand. */
const withFault = (fault: string, settings: Record<string, string> = {}) =>
  startEndpoint({
    ENGINE: "emulator",
    COMFYUI_COMMAND: "",
    COMFYUI_ARGS: `--step-delay 2 --fault ${fault}`,
    ...settings,
  });

/** The warm-up would meet the fault first. */
const WITHOUT_WARM_UP = { WARMUP_PROMPT_FILE: "/nonexistent", WARMUP_FAILURE: "serve" };

for (const [fault, name] of [
  ["no-end-event", "the end event never comes"],
  ["deaf-socket=6", "the socket falls silent in mid-prompt"],
  ["drop-socket=6", "the socket is cut by the engine in mid-prompt"],
  ["late-history=700", "the history is written long after the end event"],
  ["slow-validation=4500", "its graph takes long to validate, and nobody knows it meanwhile"],
] as const) {
  test(`an invocation completes although ${name}`, async () => {
    const endpoint = await withFault(fault, WITHOUT_WARM_UP);
    for (const color of [1, 2]) {
      const response = await endpoint.post("/prompt", { prompt: colourGraph(color) });
      expect(response.status, await response.clone().text()).toBe(200);
      expect(((await response.json()) as { images: string[] }).images).toHaveLength(1);
    }
  });
}

test("out of memory: the memory is freed and the same prompt tried once more", async () => {
  const endpoint = await withFault("oom=1", WITHOUT_WARM_UP);
  const response = await endpoint.post("/sdapi/v1/txt2img", quickTxt2Img());
  expect(response.status, await response.clone().text()).toBe(200);
});

test("out of memory twice is the caller's answer, retryable, and the engine lives on", async () => {
  const endpoint = await withFault("oom=2", WITHOUT_WARM_UP);
  const response = await endpoint.post("/sdapi/v1/txt2img", quickTxt2Img());
  expect(response.status).toBe(500);
  expect(await response.json()).toMatchObject({ error: "out_of_memory" });
  expect((await endpoint.post("/sdapi/v1/txt2img", quickTxt2Img())).status).toBe(200);
});

test("a broken GPU context counts as a crash: the invocation is retryable and the engine is replaced", async () => {
  const endpoint = await withFault("cuda-broken", { ...WITHOUT_WARM_UP, COMFYUI_MAX_RESTARTS: "0" });
  const response = await endpoint.post("/prompt", { prompt: colourGraph(1) });
  expect(response.status).toBe(502);
  expect(await response.json()).toMatchObject({
    error: { code: "comfyui_exited", retryable: true, message: expect.stringContaining("illegal memory access") },
  });
  expect(await endpoint.exited).toBe(1);
});

test("a worker thread that dies with a traceback is noticed at once", async () => {
  const endpoint = await withFault("worker-dies=loud", { ...WITHOUT_WARM_UP, COMFYUI_MAX_RESTARTS: "1" });
  const response = await endpoint.post("/prompt", { prompt: colourGraph(1) });
  expect(response.status).toBe(502);
  expect(await response.json()).toMatchObject({
    error: { code: "comfyui_exited", message: expect.stringContaining("worker thread") },
  });
});

test("a worker thread that dies without a word is noticed too", async () => {
  const endpoint = await withFault("worker-dies=silent", { ...WITHOUT_WARM_UP, COMFYUI_MAX_RESTARTS: "1" });
  const response = await endpoint.post("/prompt", { prompt: colourGraph(1) });
  expect(response.status).toBe(502);
  expect(await response.json()).toMatchObject({
    error: { code: "comfyui_exited", message: expect.stringContaining("worker thread") },
  });
});

test("a node that hangs and ignores its interrupt costs the engine, not the worker", async () => {
  const endpoint = await withFault("hang=ImageInvert", {
    INVOCATION_TIMEOUT_SECONDS: "1",
    COMFYUI_INTERRUPT_GRACE_SECONDS: "1",
  });
  await endpoint.ready();
  const graph = {
    ...colourGraph(1),
    "2": { class_type: "ImageInvert", inputs: { image: ["1", 0] } },
    "3": { class_type: "PreviewImage", inputs: { images: ["2", 0] } },
  };
  const response = await endpoint.post("/prompt", { prompt: graph });
  expect(response.status).toBe(504);
  await endpoint.logged(({ to, reason }) => to === "restarting" && String(reason).includes("did not stop"));
  await endpoint.ready();
  expect((await endpoint.post("/prompt", { prompt: colourGraph(2) })).status).toBe(200);
});

test("an engine that takes requests and answers none is replaced when the invocation's time is over", async () => {
  const endpoint = await withFault("http-deaf", {
    ...WITHOUT_WARM_UP,
    INVOCATION_TIMEOUT_SECONDS: "3",
    COMFYUI_INTERRUPT_GRACE_SECONDS: "1",
  });
  const response = await endpoint.post("/prompt", { prompt: colourGraph(1) });
  expect(response.status).toBe(504);
  await endpoint.logged(({ to }) => to === "restarting");
});

test("an engine that prints nothing and never listens has failed after the stall limit; the log's tail tells", async () => {
  const endpoint = await withFault("boot-silent", { COMFYUI_START_STALL_SECONDS: "1" });
  const response = await endpoint.post("/prompt", { prompt: colourGraph(1) });
  expect(response.status).toBe(503);
  expect(await response.json()).toMatchObject({
    error: { code: "comfyui_start_failed", message: expect.stringContaining("no progress") },
  });
  expect(await endpoint.exited).toBe(1);
});

test("a start has no limit while it makes progress", async () => {
  const endpoint = await withFault("boot-delay=3000", { COMFYUI_START_STALL_SECONDS: "1" });
  expect((await fetch(`${endpoint.url}/health`)).status).toBe(200);
  expect((await fetch(`${endpoint.url}/ready`)).status).toBe(503);
  expect((await endpoint.post("/prompt", { prompt: colourGraph(1) })).status).toBe(200);
});

test("an invocation whose time goes by while the engine starts is told that another worker may be ready", async () => {
  const endpoint = await withFault("boot-delay=20000", { INVOCATION_TIMEOUT_SECONDS: "1" });
  const response = await endpoint.post("/prompt", { prompt: colourGraph(1) });
  expect(response.status).toBe(503);
  expect(await response.json()).toMatchObject({ error: { code: "not_ready", retryable: true } });
});

test("an engine that dies during its start fails at once, with the last lines of its log", async () => {
  const endpoint = await withFault("boot-exit=3");
  const error = {
    code: "comfyui_start_failed",
    details: { code: 3, log: expect.arrayContaining([expect.stringContaining("No CUDA GPUs")]) },
  };
  // On a busy machine the worker may be gone before it is asked.
  const response = await endpoint.post("/prompt", { prompt: colourGraph(1) }).catch(() => undefined);
  if (response) expect([response.status, await response.json()]).toMatchObject([503, { error }]);
  expect(await endpoint.exited).toBe(1);
  expect(endpoint.log.find(({ level }) => level === "fatal")).toMatchObject({ code: error.code });
});

test("a warm-up that fails ends the worker, unless it may serve all the same", async () => {
  const stopped = await withFault("oom=9");
  expect(await stopped.exited).toBe(1);
  expect(stopped.log.some(({ code }) => code === "warm_up_failed")).toBe(true);

  const serving = await withFault("oom=9", { WARMUP_FAILURE: "serve" });
  await serving.ready();
});
