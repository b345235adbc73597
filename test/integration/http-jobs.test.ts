import { randomBytes } from "node:crypto";
import sharp from "sharp";
import { beforeAll, expect, test } from "vitest";
import type { RunningEndpoint } from "../support/endpoint.ts";
import { colourGraph, quickTxt2Img, slowTxt2Img } from "../support/payloads.ts";
import { call, eventually, get, promptsRun, withoutPrompt } from "../support/platform-calls.ts";
import { sharedEndpoint } from "../support/sdapi.ts";

let endpoint: RunningEndpoint;
beforeAll(() =>
  sharedEndpoint((started) => {
    endpoint = started;
  }),
);

test("F2: the same Idempotency-Key joins the work that runs; with another body it is 409", async () => {
  const key = { "idempotency-key": "joined" };
  const before = promptsRun(endpoint);
  const first = call(endpoint, "/sdapi/v1/txt2img", slowTxt2Img({ steps: 100 }), key);
  await endpoint.sampling();
  const second = call(endpoint, "/sdapi/v1/txt2img", slowTxt2Img({ steps: 100 }), key);
  const other = await call(endpoint, "/prompt", { prompt: colourGraph(1) }, key);
  expect(other).toMatchObject({ status: 409, body: { error: { code: "id_conflict", retryable: false } } });
  const [one, two] = await Promise.all([first, second]);
  expect([one.status, two.status]).toEqual([200, 200]);
  expect(two.body).toEqual(one.body);
  expect(promptsRun(endpoint) - before).toBe(1);
});

test("F1: the same Idempotency-Key after the end is answered from what was kept", async () => {
  const key = { "idempotency-key": "replayed" };
  const first = await call(endpoint, "/prompt", { prompt: colourGraph(2) }, key);
  const again = await withoutPrompt(endpoint, () => call(endpoint, "/prompt", { prompt: colourGraph(2) }, key));
  expect(again).toMatchObject({ status: 200, body: first.body });
});

test("F17: who asks for `respond-async` has 202 at once, and the result at the place that was told", async () => {
  const accepted = await call(endpoint, "/sdapi/v1/txt2img", quickTxt2Img(), { prefer: "respond-async" });
  expect(accepted).toMatchObject({ status: 202, body: { status: "accepted" } });
  const place = accepted.headers.get("location")!;
  expect(place).toBe(`/status/${accepted.body.id}`);
  const done = await eventually(
    () => get(endpoint, place),
    ({ body }) => body["status"] !== "IN_PROGRESS",
  );
  expect(done.body).toMatchObject({ status: "COMPLETED", output: { images: [expect.any(String)] } });
});

test("F17: a caller under a key that goes away cancels the work, and the key is free for another try", async () => {
  const key = { "idempotency-key": "left", "content-type": "application/json" };
  const caller = new AbortController();
  const body = slowTxt2Img({ steps: 3_000 });
  const gone = endpoint.post("/sdapi/v1/txt2img", body, { headers: key, signal: caller.signal }).catch(() => {});
  await endpoint.sampling();
  caller.abort();
  await gone;
  await endpoint.logged(({ code }) => code === "cancelled");
  expect((await call(endpoint, "/prompt", { prompt: colourGraph(3) }, key)).status).toBe(200);
});

test("X-Timeout-Ms is the invocation's limit where it is shorter than the operator's", async () => {
  const slow = await call(endpoint, "/sdapi/v1/txt2img", slowTxt2Img({ steps: 3_000 }), { "x-timeout-ms": "300" });
  expect(slow).toMatchObject({ status: 504, body: { error: "deadline_exceeded" } });
  const wrong = await call(endpoint, "/prompt", { prompt: colourGraph(1) }, { "x-timeout-ms": "soon" });
  expect(wrong).toMatchObject({ status: 422, body: { error: { message: expect.stringContaining("X-Timeout-Ms") } } });
});

test("Salad's queue: a job runs once under its id, a failure that stands is 200 with the error, one that may pass is not", async () => {
  const job = { "salad-job-id": "6f0b4a7e-0000-4000-8000-000000000001" };
  const done = await call(endpoint, "/prompt", { prompt: colourGraph(4) }, job);
  expect(done).toMatchObject({ status: 200, body: { id: job["salad-job-id"] } });
  await withoutPrompt(endpoint, () => call(endpoint, "/prompt", { prompt: colourGraph(4) }, job));
  for (const body of ['{"prompt": {}}', "{", '{"prompt": 1}']) {
    const refused = await call(endpoint, "/prompt", body, { "salad-job-id": `poison-${body.length}` });
    expect(refused, body).toMatchObject({ status: 200, body: { error: { retryable: false } } });
  }
  const sdapi = await call(endpoint, "/sdapi/v1/txt2img", { steps: "many" }, { "salad-job-id": "s" });
  expect(sdapi).toMatchObject({ status: 200, body: { detail: [{ loc: ["body", "steps"] }] } });
});

test("F16: an answer that Salad's queue would drop four times is a small error instead", async () => {
  const raw = { width: 2000, height: 1800, channels: 3 } as const;
  const noise = await sharp(randomBytes(raw.width * raw.height * 3), { raw })
    .png({ compressionLevel: 0 })
    .toBuffer();
  const body = { image: noise.toString("base64"), upscaler_1: "Nearest", upscaling_resize: 1 };
  const answer = await call(endpoint, "/sdapi/v1/extra-single-image", body, { "salad-job-id": "large" });
  expect(answer).toMatchObject({ status: 200, body: { error: "output_too_large" } });
});

test("Cloud Tasks: retries are attempts of one task; what fails for good is not tried again", async () => {
  const task = { "x-cloudtasks-taskname": "projects/p/tasks/1", "x-cloudtasks-taskretrycount": "2" };
  const done = await call(endpoint, "/prompt", { prompt: colourGraph(5) }, task);
  expect(done.status).toBe(200);
  expect(endpoint.log.findLast(({ message }) => message === "invocation received")).toMatchObject({ attempt: 3 });
  const final = await call(endpoint, "/prompt", { prompt: {} }, { "x-cloudtasks-taskname": "t2" });
  expect(final).toMatchObject({ status: 200, body: { error: { code: "invalid_workflow" } } });
  const plain = await call(endpoint, "/prompt", { prompt: {} });
  expect(plain.status, "without a courier").toBe(422);
});

test("trace context and request id come back, also with an error, and are in the invocation's log lines", async () => {
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const given = { traceparent, "x-request-id": "r-1" };
  for (const [path, body, status] of [
    ["/prompt", { prompt: colourGraph(6) }, 200],
    ["/prompt", "{", 400],
    ["/sdapi/v1/txt2img", { steps: "many" }, 422],
    ["/predictions", {}, 422],
  ] as const) {
    const answer = await call(endpoint, path, body, given);
    expect(answer.status).toBe(status);
    expect([answer.headers.get("traceparent"), answer.headers.get("x-request-id")]).toEqual([traceparent, "r-1"]);
  }
  const line = endpoint.log.findLast(({ message }) => message === "prompt queued");
  expect(line).toMatchObject({ traceparent, requestId: "r-1" });
});
