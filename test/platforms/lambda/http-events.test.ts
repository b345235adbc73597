/** HTTP requests that come as events are answered as the HTTP face answers them. */
import { expect, test } from "vitest";
import EVENTS from "../../fixtures/platforms/lambda/events.json" with { type: "json" };
import { type LambdaRuntime, startLambda } from "../../support/lambda-runtime.ts";
import { colourGraph, longTextGraph, quickTxt2Img, slowTxt2Img } from "../../support/payloads.ts";
import { decode } from "../../support/pictures.ts";

type Name = keyof typeof EVENTS;

interface HttpAnswer {
  statusCode: number;
  headers: Record<string, string>;
  body: string;
  isBase64Encoded: boolean;
}

async function request(runtime: LambdaRuntime, name: Name, overrides: object = {}, deadlineMs?: number) {
  const handOut = deadlineMs === undefined ? {} : { deadlineMs };
  const { kind, body } = await runtime.invoke({ ...EVENTS[name], ...overrides }, handOut);
  expect(kind).toBe("response");
  return body as HttpAnswer;
}

test("every recorded event makes the picture that it asks for", async () => {
  const { runtime } = await startLambda();
  const body = JSON.stringify(quickTxt2Img());
  const inBase64 = { body: Buffer.from(body).toString("base64"), isBase64Encoded: true };
  const answers: string[] = [];
  for (const [name, overrides] of [
    ["function-url", { body }],
    ["function-url-base64", inBase64],
    ["api-gateway-v2", { body }],
    ["api-gateway-v1", { body }],
    ["api-gateway-v1-base64", inBase64],
    ["alb", { body }],
    ["alb-multi-value", { body }],
  ] as const) {
    const answer = await request(runtime, name, overrides);
    expect(answer).toMatchObject({ statusCode: 200, isBase64Encoded: false });
    expect(answer.headers["content-type"]).toMatch(/^application\/json/);
    answers.push(JSON.parse(answer.body).images[0]);
  }
  expect(new Set(answers).size, "the same request gives the same picture").toBe(1);
  const { width, height } = await decode(Buffer.from(answers[0]!, "base64"));
  expect([width, height]).toEqual([64, 64]);
});

test("a GET without a body is answered, and a list that the caller takes compressed comes as base64", async () => {
  const { runtime } = await startLambda();
  const health = await request(runtime, "function-url-get-no-body");
  expect({ status: health.statusCode, ...JSON.parse(health.body) }).toMatchObject({ status: "healthy" });
  const list = { rawPath: "/sdapi/v1/samplers", headers: { "accept-encoding": "gzip" } };
  const answer = await request(runtime, "function-url-get-no-body", list);
  expect(answer).toMatchObject({ isBase64Encoded: true, headers: { "content-encoding": "gzip" } });
  const stream = new Blob([Buffer.from(answer.body, "base64")]).stream().pipeThrough(new DecompressionStream("gzip"));
  expect(await new Response(stream).json()).toEqual(
    expect.arrayContaining([expect.objectContaining({ name: "Euler" })]),
  );
});

test("F3: a request that can never succeed gets the status and the words that it gets over HTTP", async () => {
  const { runtime } = await startLambda({ API_TOKEN: "s3cret" });
  const headers = { "content-type": "application/json", authorization: "Bearer s3cret" };
  const graph = { rawPath: "/prompt", headers };
  expect((await request(runtime, "function-url")).statusCode).toBe(401);
  expect((await request(runtime, "function-url", { headers, body: '{"tiling": true}' })).statusCode).toBe(422);
  expect((await request(runtime, "function-url", { ...graph, body: "{not json" })).statusCode).toBe(400);
  expect((await request(runtime, "function-url", { ...graph, body: '{"prompt": {}}' })).statusCode).toBe(422);
  expect((await request(runtime, "function-url", { ...graph, rawPath: "/nowhere" })).statusCode).toBe(404);
  const fine = { ...graph, body: JSON.stringify({ prompt: colourGraph(1) }) };
  expect((await request(runtime, "function-url", fine)).statusCode).toBe(200);
});

test("F7: a request that does not end in the function's time is answered with 504 before that is over", async () => {
  const { runtime } = await startLambda();
  await runtime.polling();
  const deadlineMs = Date.now() + 3_000;
  const body = JSON.stringify(slowTxt2Img({ steps: 4_000 }));
  const answer = await request(runtime, "function-url", { body }, deadlineMs);
  expect(Date.now()).toBeLessThan(deadlineMs);
  expect(answer.statusCode).toBe(504);
});

test("F16: an answer above what its sender carries is an error that says so, at a load balancer from 1 MB on", async () => {
  const { runtime } = await startLambda();
  const body = JSON.stringify({ prompt: longTextGraph(1_200_000) });
  const carried = await request(runtime, "function-url", { rawPath: "/prompt", body });
  expect(carried.statusCode).toBe(200);
  const refused = await request(runtime, "alb", { path: "/prompt", body });
  expect(refused.statusCode).toBe(500);
  expect(JSON.parse(refused.body)).toMatchObject({ error: { code: "output_too_large" } });
});
