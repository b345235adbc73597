import { expect, test } from "vitest";
import { startEndpoint } from "../../support/endpoint.ts";
import { colourGraph, quickTxt2Img, slowTxt2Img, WORKER_KILLERS } from "../../support/payloads.ts";
import { startProxy } from "../../support/tcp-proxy.ts";

const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

test("F20: an engine that dies in mid-prompt fails that invocation as retryable within a second and serves the next", async () => {
  const endpoint = await startEndpoint();
  const first = endpoint.post("/sdapi/v1/txt2img", slowTxt2Img());
  await endpoint.sampling();
  const pid = endpoint.enginePid();
  process.kill(pid, "SIGKILL");
  const killedAt = performance.now();

  const response = await first;
  // Before it is asked about, which is after two seconds of silence.
  expect(performance.now() - killedAt).toBeLessThan(1_900);
  expect(response.status).toBe(502);
  expect(await response.json()).toMatchObject({ error: "comfyui_exited", detail: expect.stringContaining("SIGKILL") });
  expect((await fetch(`${endpoint.url}/ready`)).status, "while it restarts").toBe(503);
  expect((await fetch(`${endpoint.url}/health`)).status, "while it restarts").toBe(200);

  const next = await endpoint.post("/sdapi/v1/txt2img", quickTxt2Img());
  expect(next.status).toBe(200);
  expect((await fetch(`${endpoint.url}/ready`)).status).toBe(200);
  expect(isAlive(pid), "the killed engine").toBe(false);
  expect(endpoint.enginePid()).not.toBe(pid);
});

test("four crashes in a row are enough: the worker is defunct and exits with code 1, and leaves no engine behind", async () => {
  const endpoint = await startEndpoint();
  const pids = new Set<number>();
  for (let crash = 1; crash <= 4; crash++) {
    await endpoint.ready();
    pids.add(endpoint.enginePid());
    process.kill(endpoint.enginePid(), "SIGKILL");
    await endpoint.logged(
      ({ component, to, enginePid }) => component === "engine" && to === "restarting" && enginePid === [...pids].at(-1),
    );
  }
  expect(await endpoint.exited).toBe(1);
  expect(pids.size).toBe(4);
  expect([...pids].filter(isAlive)).toEqual([]);
  expect(endpoint.log.some(({ to }) => to === "defunct")).toBe(true);
});

test("F20: an engine whose worker thread died is back in service without anyone's help", async () => {
  const endpoint = await startEndpoint();
  await endpoint.ready();
  const { engineUrl } = await endpoint.logged(({ engineUrl: known }) => known !== undefined);
  const pid = endpoint.enginePid();
  // Past our own check: somebody else's prompt. The engine may be gone before it has answered.
  await fetch(`${engineUrl}/prompt`, {
    method: "POST",
    body: JSON.stringify({ prompt: WORKER_KILLERS[0]!.graph }),
  }).catch(() => {});
  await endpoint.logged(({ to, reason }) => to === "restarting" && String(reason).includes("worker thread"));
  const response = await endpoint.post("/prompt", { prompt: colourGraph(2) });
  expect(response.status).toBe(200);
  expect(isAlive(pid)).toBe(false);
});

/** An endpoint with a proxy between it and its engine. @param start of connections that the proxy breaks. */
async function startBehindProxy(start?: string) {
  const engine = await startEndpoint();
  await engine.ready();
  const { engineUrl } = await engine.logged(({ engineUrl: known }) => known !== undefined);
  const proxy = await startProxy(String(engineUrl), start);
  const settings = { ENGINE: "comfyui", COMFYUI_COMMAND: "", COMFYUI_ARGS: "", COMFYUI_URL: proxy.url };
  const endpoint = await startEndpoint(settings);
  await endpoint.ready();
  return { proxy, endpoint };
}

test("a graph that is invalid in part fails, also when its other part is drawn before ComfyUI's answer is here", async () => {
  const { proxy, endpoint } = await startBehindProxy("POST /pr");
  proxy.delay(500);
  const invalid = {
    "3": { class_type: "EmptyImage", inputs: { width: 64, height: 64, batch_size: 1, color: "many" } },
    "4": { class_type: "SaveImage", inputs: { images: ["3", 0], filename_prefix: "x" } },
  };
  const response = await endpoint.post("/runsync", { input: { workflow: { ...colourGraph(1), ...invalid } } });
  expect(await response.json()).toMatchObject({ status: "FAILED", error: expect.stringContaining("color") });
});

for (const [name, breakSocket] of [
  ["is cut", "cut"],
  ["stays open and silent", "mute"],
] as const) {
  test(`F20: an invocation completes although the websocket ${name} in mid-prompt`, async () => {
    const { proxy, endpoint } = await startBehindProxy();
    const running = endpoint.post("/sdapi/v1/txt2img", slowTxt2Img({ steps: 200 }));
    await endpoint.sampling();
    proxy[breakSocket]();
    const response = await running;
    expect(response.status, await response.clone().text()).toBe(200);
    expect(((await response.json()) as { images: string[] }).images).toHaveLength(1);

    proxy.mend();
    const next = await endpoint.post("/sdapi/v1/txt2img", quickTxt2Img());
    expect(next.status).toBe(200);
  });
}

test("a caller that goes away in mid-prompt frees the engine at once", async () => {
  const endpoint = await startEndpoint();
  await endpoint.ready();
  const { engineUrl } = await endpoint.logged(({ engineUrl: known }) => known !== undefined);
  const caller = new AbortController();
  const gone = endpoint
    .post("/sdapi/v1/txt2img", slowTxt2Img({ steps: 3_000 }), { signal: caller.signal })
    .catch(() => {});
  await endpoint.sampling();
  caller.abort();
  await gone;

  const next = await endpoint.post("/prompt", { prompt: colourGraph(3) });
  expect(next.status).toBe(200);
  const queue = (await (await fetch(`${engineUrl}/queue`)).json()) as Record<string, unknown[]>;
  expect(queue).toMatchObject({ queue_running: [], queue_pending: [] });
  expect(endpoint.log.some(({ code }) => code === "cancelled")).toBe(true);
});

test("SIGTERM in mid-prompt: the prompt finishes within the grace and its caller has the picture", async () => {
  const endpoint = await startEndpoint({ SHUTDOWN_GRACE_SECONDS: "60" });
  const running = endpoint.post("/sdapi/v1/txt2img", slowTxt2Img({ steps: 100 }));
  await endpoint.sampling();
  endpoint.process.kill("SIGTERM");
  await endpoint.logged(({ to }) => to === "draining");
  expect((await fetch(`${endpoint.url}/ready`)).status, "while it drains").toBe(503);
  const late = await endpoint.post("/prompt", { prompt: colourGraph(4) });
  expect(late.status).toBe(503);
  expect(await late.json()).toMatchObject({ error: { code: "draining", retryable: true } });

  expect((await running).status).toBe(200);
  expect(await endpoint.exited).toBe(0);
  expect(isAlive(endpoint.enginePid())).toBe(false);
});

test("SIGTERM in mid-prompt: after the grace the prompt is interrupted and its caller told to try again", async () => {
  const endpoint = await startEndpoint({ SHUTDOWN_GRACE_SECONDS: "0.5" });
  const running = endpoint.post("/sdapi/v1/txt2img", slowTxt2Img({ steps: 3_000 }));
  await endpoint.sampling();
  const sentAt = performance.now();
  endpoint.process.kill("SIGTERM");
  const response = await running;
  expect(response.status).toBe(503);
  expect(await response.json()).toMatchObject({ error: "draining" });
  expect(await endpoint.exited).toBe(0);
  expect(performance.now() - sentAt).toBeLessThan(5_000);
  expect(isAlive(endpoint.enginePid())).toBe(false);
});

test("an invocation past its deadline is interrupted on the engine and answered 504", async () => {
  const endpoint = await startEndpoint({ INVOCATION_TIMEOUT_SECONDS: "2" });
  await endpoint.ready();
  const response = await endpoint.post("/sdapi/v1/txt2img", slowTxt2Img({ steps: 3_000 }));
  expect(response.status).toBe(504);
  const next = await endpoint.post("/prompt", { prompt: colourGraph(5) });
  expect(next.status, "the engine is free again").toBe(200);
});
