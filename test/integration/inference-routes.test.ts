/** SageMaker and KServe. */
import { beforeAll, expect, test } from "vitest";
import { type RunningEndpoint, startEndpoint } from "../support/endpoint.ts";
import { colourGraph, quickTxt2Img } from "../support/payloads.ts";
import { call, get, withoutPrompt } from "../support/platform-calls.ts";
import { sharedEndpoint } from "../support/sdapi.ts";

let endpoint: RunningEndpoint;
beforeAll(() =>
  sharedEndpoint((started) => {
    endpoint = started;
  }),
);

const ATTRIBUTES = "x-amzn-sagemaker-custom-attributes";

test("SageMaker: any payload, under the id of the custom attributes, which come back", async () => {
  const done = await call(endpoint, "/invocations", { prompt: colourGraph(1) }, { [ATTRIBUTES]: "trace-1" });
  expect(done).toMatchObject({ status: 200, body: { id: "trace-1", status: "succeeded" } });
  expect(done.headers.get(ATTRIBUTES)).toBe("trace-1");
  const sdapi = await call(endpoint, "/invocations", quickTxt2Img());
  expect(sdapi.body).toMatchObject({ images: [expect.any(String)] });
});

test("SageMaker: what fails for good is 400 to its caller", async () => {
  const refused = await call(endpoint, "/invocations", { prompt: {} });
  expect(refused).toMatchObject({ status: 400, body: { error: { code: "invalid_workflow", retryable: false } } });
});

test("KServe v1: one instance, one prediction", async () => {
  const done = await call(endpoint, "/v1/models/comfy:predict", { instances: [{ prompt: colourGraph(2) }] });
  expect(done).toMatchObject({ status: 200, body: { predictions: [{ status: "succeeded" }] } });
  const two = await call(endpoint, "/v1/models/comfy:predict", { instances: [{}, {}] });
  expect(two).toMatchObject({ status: 422, body: { error: expect.stringContaining("instances") } });
  expect((await get(endpoint, "/v1/models/comfy")).body).toEqual({ name: "comfy", ready: true });
});

test("KServe v2: JSON in a BYTES tensor, and back; the id is the invocation's", async () => {
  const tensor = { name: "payload", shape: [1], datatype: "BYTES", data: [JSON.stringify({ prompt: colourGraph(3) })] };
  const infer = () => call(endpoint, "/v2/models/comfy/infer", { id: "k1", inputs: [tensor] });
  const { status, body } = await infer();
  expect(status).toBe(200);
  expect(body).toMatchObject({ model_name: "comfy", id: "k1", outputs: [{ name: "result", datatype: "BYTES" }] });
  expect(JSON.parse(body.outputs[0].data[0])).toMatchObject({ id: "k1", status: "succeeded" });
  expect((await withoutPrompt(endpoint, infer)).body).toEqual(body);
  const cases = [[], [{ ...tensor, datatype: "FP32", data: [1] }], [{ ...tensor, data: ["{"] }]];
  for (const inputs of cases) {
    const refused = await call(endpoint, "/v2/models/comfy/infer", { inputs });
    expect(refused, JSON.stringify(inputs)).toMatchObject({ body: { error: expect.stringContaining("inputs") } });
    expect([400, 422]).toContain(refused.status);
  }
});

test("F25: a full queue is 429 with when to try again, 409 for cog; nothing is queued beyond the limit", async () => {
  const small = await startEndpoint({ MAX_QUEUE_DEPTH: "1" });
  const accepted = await Promise.all(
    ["a", "b"].map((id) => call(small, "/run", { input: quickTxt2Img({ steps: 3_000 }) }, { "idempotency-key": id })),
  );
  expect(accepted.map(({ status }) => status)).toEqual([200, 200]);
  const bodies: [path: string, status: number][] = [
    ["/run", 429],
    ["/runsync", 429],
    ["/invocations", 429],
    ["/pubsub", 429],
    ["/v1/models/m:predict", 429],
    ["/predictions", 409],
  ];
  for (const [path, status] of bodies) {
    const refused = await call(small, path, { input: { workflow: colourGraph(1) } });
    expect([refused.status, refused.headers.get("retry-after")], path).toEqual([status, "5"]);
  }
});
