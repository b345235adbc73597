import { expect, test } from "vitest";
import { type RunningEndpoint, startEndpoint } from "../support/endpoint.ts";
import { slowTxt2Img } from "../support/payloads.ts";

/** Statuses of the health routes, and what cog's says. */
async function health({ url }: RunningEndpoint) {
  const paths = ["/health", "/v2/health/live", "/ready", "/v2/health/ready", "/v2/models/any/ready", "/ping"];
  const answers = await Promise.all(paths.map((path) => fetch(url + path)));
  const cog = await fetch(`${url}/health-check`);
  expect(cog.status).toBe(200);
  return [...answers.map(({ status }) => status), ((await cog.json()) as { status: string }).status];
}

test("while the engine starts: alive, not ready, initializing for RunPod", async () => {
  const endpoint = await startEndpoint({ COMFYUI_ARGS: "--fault boot-delay=20000" });
  expect(await health(endpoint)).toEqual([200, 200, 503, 503, 503, 204, "STARTING"]);
  const { setup } = (await (await fetch(`${endpoint.url}/health-check`)).json()) as { setup: object };
  expect(setup).toMatchObject({ status: "starting", completed_at: null });
});

test("ready, busy and draining: busy is ready, draining is not, and both are alive", async () => {
  const endpoint = await startEndpoint({ SHUTDOWN_GRACE_SECONDS: "60" });
  await endpoint.ready();
  expect(await health(endpoint)).toEqual([200, 200, 200, 200, 200, 200, "READY"]);
  const running = endpoint.post("/sdapi/v1/txt2img", slowTxt2Img());
  await endpoint.sampling();
  expect(await health(endpoint)).toEqual([200, 200, 200, 200, 200, 200, "BUSY"]);
  endpoint.process.kill("SIGTERM");
  await endpoint.logged(({ to }) => to === "draining");
  expect(await health(endpoint)).toEqual([200, 200, 503, 503, 503, 503, "BUSY"]);
  expect((await running).status).toBe(200);
  expect(await endpoint.exited).toBe(0);
});

test("with READY_WHEN_BUSY=false a busy worker is not ready, and nothing else changes", async () => {
  const endpoint = await startEndpoint({ READY_WHEN_BUSY: "false" });
  await endpoint.ready();
  const running = endpoint.post("/sdapi/v1/txt2img", slowTxt2Img({ steps: 100 }));
  await endpoint.sampling();
  expect(await health(endpoint)).toEqual([200, 200, 503, 503, 503, 200, "BUSY"]);
  await running;
  expect(await health(endpoint)).toEqual([200, 200, 200, 200, 200, 200, "READY"]);
});

test("an engine that crashed is unhealthy until it serves again; its worker is alive", async () => {
  const endpoint = await startEndpoint({ COMFYUI_ARGS: "--fault boot-delay=1500" });
  await endpoint.ready();
  process.kill(endpoint.enginePid(), "SIGKILL");
  await endpoint.logged(({ to }) => to === "restarting");
  expect(await health(endpoint)).toEqual([200, 200, 503, 503, 503, 503, "UNHEALTHY"]);
  await endpoint.ready();
  expect(await health(endpoint)).toEqual([200, 200, 200, 200, 200, 200, "READY"]);
});
