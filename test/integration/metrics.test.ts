/** `/metrics` on each listener: who may read it, and when it is there. */
import { expect, test } from "vitest";
import { startAws } from "../support/aws.ts";
import { startEndpoint } from "../support/endpoint.ts";
import { colourGraph } from "../support/payloads.ts";
import { scrape } from "../support/scrape.ts";

test("without METRICS there is no such route, on neither listener", async () => {
  const aws = await startAws();
  for (const settings of [{}, aws.settings]) {
    const endpoint = await startEndpoint(settings);
    expect((await fetch(`${endpoint.url}/metrics`)).status).toBe(404);
  }
});

test("Prometheus needs no token, as health needs none; work is counted by its outcome and stages", async () => {
  const endpoint = await startEndpoint({ METRICS: "true", API_TOKEN: "s3cret" });
  await endpoint.ready();
  const headers = { authorization: "Bearer s3cret", "content-type": "application/json" };
  const done = await endpoint.post("/prompt", { prompt: colourGraph(1) }, { headers });
  expect(done.status).toBe(200);
  expect((await endpoint.post("/prompt", { prompt: {} }, { headers })).status).toBe(422);
  const { images } = (await done.json()) as { images: string[] };
  const series = await scrape(endpoint.url);
  expect(series).toMatchObject({
    'comfy_endpoint_invocations_total{platform="http",outcome="succeeded",code=""}': 1,
    'comfy_endpoint_invocations_total{platform="http",outcome="failed",code="invalid_workflow"}': 1,
    'comfy_endpoint_output_bytes_total{delivery="inline"}': Buffer.from(images[0]!, "base64").length,
    comfy_endpoint_prompt_queue_depth: 0,
  });
  const stages = ["preparing", "queued", "running", "delivering", "total"];
  for (const stage of stages) expect(series[`comfy_endpoint_invocation_seconds_count{stage="${stage}"}`]).toBe(1);
});

test("a worker of a queue answers it beside health", async () => {
  const aws = await startAws();
  const endpoint = await startEndpoint({ ...aws.settings, METRICS: "true" });
  aws.fauxqs.sendMessage("jobs", JSON.stringify({ id: "a", prompt: colourGraph(1) }));
  await aws.empty("jobs");
  const { outputs } = (await aws.read("results/a.json")) as { outputs: [{ size_bytes: number }] };
  expect(await scrape(endpoint.url)).toMatchObject({
    'comfy_endpoint_invocations_total{platform="sqs",outcome="succeeded",code=""}': 1,
    'comfy_endpoint_output_bytes_total{delivery="s3"}': outputs[0].size_bytes,
  });
});

test("work that waits for the engine's start is in the queue's depth, and its time is that of the queue", async () => {
  const endpoint = await startEndpoint({ METRICS: "true", COMFYUI_ARGS: "--fault boot-delay=1500" });
  const early = endpoint.post("/prompt", { prompt: colourGraph(1) });
  await endpoint.logged(({ message }) => message === "invocation received");
  expect(await scrape(endpoint.url)).toMatchObject({
    comfy_endpoint_prompt_queue_depth: 1,
    'comfyui_state{engine="0",state="starting"}': 1,
  });
  expect((await early).status).toBe(200);
  const after = await scrape(endpoint.url);
  expect(after["comfy_endpoint_prompt_queue_depth"]).toBe(0);
  const spent = (stage: string) => after[`comfy_endpoint_invocation_seconds_sum{stage="${stage}"}`]!;
  expect(spent("queued")).toBeGreaterThan(spent("preparing"));
});
