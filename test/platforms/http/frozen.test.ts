/** Platforms stop a whole machine, and let it go on later: FlashBoot, snapshots of virtual machines. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { startEndpoint } from "../../support/endpoint.ts";
import { colourGraph, slowTxt2Img } from "../../support/payloads.ts";

/** Longer than the engine's connection goes without a sign of life. */
const FROZEN_MS = 12_000;

test("F19: a worker that was frozen in mid-prompt finishes it, and serves the next at once", async () => {
  const endpoint = await startEndpoint();
  await endpoint.ready();
  const running = endpoint.post("/sdapi/v1/txt2img", slowTxt2Img({ steps: 200 }));
  await endpoint.sampling();
  const engine = -endpoint.enginePid();
  for (const pid of [endpoint.process.pid!, engine]) process.kill(pid, "SIGSTOP");
  await sleep(FROZEN_MS);
  for (const pid of [engine, endpoint.process.pid!]) process.kill(pid, "SIGCONT");
  expect((await running).status).toBe(200);
  const startedAt = performance.now();
  expect((await endpoint.post("/prompt", { prompt: colourGraph(1) })).status).toBe(200);
  expect(performance.now() - startedAt).toBeLessThan(2_000);
  expect(endpoint.log.filter(({ to }) => to === "restarting")).toEqual([]);
});

test("F19: time that a worker was frozen for counts against the invocation's", async () => {
  const endpoint = await startEndpoint();
  await endpoint.ready();
  const headers = { "content-type": "application/json", "x-timeout-ms": "2000" };
  const running = endpoint.post("/invocations", slowTxt2Img({ steps: 3_000 }), { headers });
  await endpoint.sampling();
  endpoint.process.kill("SIGSTOP");
  await sleep(3_000);
  endpoint.process.kill("SIGCONT");
  expect(await (await running).json()).toMatchObject({ error: { code: "deadline_exceeded" } });
  expect((await endpoint.post("/prompt", { prompt: colourGraph(1) })).status).toBe(200);
});
