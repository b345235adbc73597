import { readFileSync } from "node:fs";
import { request } from "node:http";
import { beforeAll, expect, test } from "vitest";
import { type RunningEndpoint, startEndpoint } from "../support/endpoint.ts";
import { colourGraph, quickTxt2Img, slowTxt2Img } from "../support/payloads.ts";
import { scrape } from "../support/scrape.ts";

let endpoint: RunningEndpoint;
beforeAll(async () => {
  const stops: (() => Promise<void>)[] = [];
  endpoint = await startEndpoint({ MAX_QUEUE_DEPTH: "2", MAX_BODY_SIZE_MB: "1", METRICS: "true" }, (stop) =>
    stops.push(stop),
  );
  await endpoint.ready();
  return async () => {
    for (const stop of stops) await stop();
  };
});

/** Sends a head, and then the body in chunks until it is answered. */
function upload(
  url: string,
  headers: Record<string, string>,
  megabytes: number,
): Promise<{ status: number; body: string; sent: number; connection: string }> {
  return new Promise((resolve, reject) => {
    const chunk = Buffer.alloc(64 * 1024, "x");
    let sent = 0;
    let isAnswered = false;
    const outgoing = request(`${url}/prompt`, { method: "POST", headers }, (response) => {
      isAnswered = true;
      let body = "";
      response.on("data", (part) => {
        body += part;
      });
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, body, sent, connection: response.headers.connection ?? "" }),
      );
    });
    outgoing.on("error", (error) => (isAnswered ? undefined : reject(error)));
    const send = () => {
      while (sent < megabytes * 1e6 && !isAnswered) {
        sent += chunk.length;
        if (!outgoing.write(chunk)) return outgoing.once("drain", send);
      }
      outgoing.end();
    };
    outgoing.flushHeaders();
    if (headers["content-length"] === undefined) send();
  });
}

test("a 200 MB body is refused before it is read, and the connection closed", async () => {
  const { status, body, sent, connection } = await upload(endpoint.url, { "content-length": "200000000" }, 200);
  expect({ status, sent, connection }).toEqual({ status: 413, sent: 0, connection: "close" });
  expect(JSON.parse(body)).toMatchObject({ error: { code: "payload_too_large", retryable: false } });
});

test("a body that does not tell its size is refused when it has passed the limit", async () => {
  const { status } = await upload(endpoint.url, {}, 20);
  expect(status).toBe(413);
  expect((await endpoint.post("/prompt", { prompt: colourGraph(1) })).status).toBe(200);
});

test("F25: memory stays bounded under many large bodies", async () => {
  const rss = () =>
    Number(readFileSync(`/proc/${endpoint.process.pid}/status`, "utf8").match(/VmHWM:\s+(\d+)/)?.[1]) / 1024;
  const before = rss();
  const outcomes = await Promise.all(Array.from({ length: 20 }, () => upload(endpoint.url, {}, 10)));
  // Too large alone, or too large together with the others.
  expect(outcomes.filter(({ status }) => status !== 413 && status !== 429)).toEqual([]);
  expect(rss() - before).toBeLessThan(700);
});

test("F25: more than may wait is refused with 429 and when to try again; the others are served in order", async () => {
  const depths = () =>
    endpoint.log.filter(({ message }) => message === "invocation received").map(({ ahead }) => ahead);
  const queueDepth = async () => (await scrape(endpoint.url))["comfy_endpoint_prompt_queue_depth"];
  const before = depths().length;
  expect(await queueDepth()).toBe(0);
  const first = endpoint.post("/sdapi/v1/txt2img", slowTxt2Img({ steps: 100 }));
  await endpoint.sampling();
  const waiting = [1, 2].map((color) => endpoint.post("/prompt", { prompt: colourGraph(color) }));
  await endpoint.logged(() => depths().length >= before + 3);
  expect(depths().slice(before)).toEqual([0, 1, 2]);
  expect(await queueDepth(), "the one that runs does not wait").toBe(2);
  const refused = await endpoint.post("/prompt", { prompt: colourGraph(3) });
  expect(refused.status).toBe(429);
  expect(refused.headers.get("retry-after")).toBe("5");
  expect(await refused.json()).toMatchObject({ error: { code: "queue_full", retryable: true } });
  const full = 'comfy_endpoint_invocations_total{platform="http",outcome="failed",code="queue_full"}';
  expect(await scrape(endpoint.url)).toMatchObject({ comfy_endpoint_prompt_queue_depth: 2, [full]: 1 });
  expect((await fetch(`${endpoint.url}/ready`)).status, "busy is ready").toBe(200);
  expect(await Promise.all([first, ...waiting].map(async (response) => (await response).status))).toEqual([
    200, 200, 200,
  ]);
  expect(await queueDepth()).toBe(0);
});

test("bad bodies are 4xx with what was wrong and where", async () => {
  const cases: [path: string, body: string, status: number, expected: object][] = [
    ["/prompt", "{not json", 400, { error: { code: "invalid_json" } }],
    ["/prompt", "", 400, { error: { code: "invalid_json" } }],
    ["/prompt", "[]", 422, { error: { code: "invalid_request" } }],
    ["/prompt", '{"prompt": {"nodes": [], "links": []}}', 422, { error: { code: "workflow_format_ui" } }],
    ["/prompt", '{"prompt": {}}', 422, { error: { code: "invalid_workflow" } }],
    [
      "/prompt",
      '{"prompt": {}, "webhook": "http://x"}',
      422,
      { error: { code: "unsupported_feature", message: expect.stringContaining("webhook") } },
    ],
    [
      "/sdapi/v1/txt2img",
      '{"steps": "many"}',
      422,
      { detail: [{ loc: ["body", "steps"], msg: "value is not a valid integer" }] },
    ],
    [
      "/sdapi/v1/txt2img",
      '{"tiling": true}',
      422,
      { error: "unsupported_feature", detail: expect.stringContaining("tiling") },
    ],
    [
      "/sdapi/v1/txt2img",
      '{"sampler_name": "Eulr"}',
      404,
      {
        error: "unknown_sampler",
        detail: "Sampler not found",
        body: { available: expect.arrayContaining(["DPM++ 2M"]) },
        errors: expect.stringContaining("DPM++ 2M"),
      },
    ],
    [
      "/sdapi/v1/txt2img",
      '{"override_settings": {"sd_model_checkpoint": "nope"}}',
      404,
      { error: "unknown_model", detail: expect.stringContaining("tiny-sd15") },
    ],
    ["/nowhere", "{}", 404, { error: { code: "not_found" } }],
    ["/sdapi/v1/nowhere", "{}", 404, { detail: "Not Found" }],
  ];
  for (const [path, body, status, expected] of cases) {
    const response = await endpoint.post(path, body);
    expect(response.status, `${path} ${body}`).toBe(status);
    expect(await response.json(), `${path} ${body}`).toMatchObject(expected);
  }
});

test("progress tells step and steps of the txt2img that runs, and zeros when none does", async () => {
  const running = endpoint.post("/sdapi/v1/txt2img", slowTxt2Img({ steps: 80 }));
  await endpoint.sampling();
  const busy = await (await fetch(`${endpoint.url}/sdapi/v1/progress`)).json();
  expect(busy).toMatchObject({ state: { sampling_steps: 80, job_count: 1 } });
  await running;
  const idle = await (await fetch(`${endpoint.url}/sdapi/v1/progress`)).json();
  expect(idle).toMatchObject({
    progress: 0,
    eta_relative: 0,
    state: { job: "", sampling_step: 0 },
    current_image: null,
  });
});

test("with API_TOKEN every work route asks for it, health does not", async () => {
  const guarded = await startEndpoint({ API_TOKEN: "s3cret" });
  const authorized = { headers: { authorization: "Bearer s3cret", "content-type": "application/json" } };
  expect((await guarded.post("/sdapi/v1/txt2img", quickTxt2Img())).status).toBe(401);
  expect((await guarded.post("/prompt", {}, { headers: { authorization: "Bearer wrong" } })).status).toBe(401);
  expect((await guarded.post("/sdapi/v1/txt2img", quickTxt2Img(), authorized)).status).toBe(200);
  expect((await fetch(`${guarded.url}/health`)).status).toBe(200);
  expect(JSON.stringify(guarded.log)).not.toContain("s3cret");
});
