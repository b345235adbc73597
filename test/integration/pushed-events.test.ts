import { beforeAll, expect, test } from "vitest";
import type { RunningEndpoint } from "../support/endpoint.ts";
import { colourGraph, slowTxt2Img } from "../support/payloads.ts";
import { base64, call, eventually, get, promptsRun, withoutPrompt } from "../support/platform-calls.ts";
import { sharedEndpoint } from "../support/sdapi.ts";

let endpoint: RunningEndpoint;
beforeAll(() =>
  sharedEndpoint((started) => {
    endpoint = started;
  }),
);

const PUBSUB_TYPE = "google.cloud.pubsub.topic.v1.messagePublished";
const attributes = (id: string, type = "com.example.draw") => ({ specversion: "1.0", id, source: "/test", type });
const asHeaders = (id: string, type?: string) =>
  Object.fromEntries(Object.entries(attributes(id, type)).map(([name, value]) => [`ce-${name}`, value]));
const STRUCTURED = { "content-type": "application/cloudevents+json" };

const message = (messageId: string, payload: unknown) => ({
  message: { messageId, publishTime: "2026-01-01T00:00:00Z", data: base64(payload) },
  subscription: "projects/p/subscriptions/s",
  deliveryAttempt: 2,
});

test("a binary event runs, and is answered by an event with the result", async () => {
  const answer = await call(endpoint, "/events", { prompt: colourGraph(1) }, asHeaders("1"));
  expect(answer.status).toBe(200);
  expect(answer.headers.get("ce-type")).toBe("comfy-endpoint.invocation.succeeded");
  expect(answer.headers.get("ce-id")).toBe(answer.body.id);
  expect(answer.body).toMatchObject({ status: "succeeded", outputs: [{ node_id: "2" }] });
});

test("a structured event runs, with its data as JSON or as base64", async () => {
  const data = { prompt: colourGraph(2) };
  const json = await call(endpoint, "/events", { ...attributes("2"), data }, STRUCTURED);
  const encoded = await call(endpoint, "/events", { ...attributes("3"), data_base64: base64(data) }, STRUCTURED);
  expect([json.status, encoded.status]).toEqual([200, 200]);
});

test("Eventarc's Pub/Sub event is opened to its message", async () => {
  const event = message("m1", { prompt: colourGraph(3) });
  expect((await call(endpoint, "/events", event, asHeaders("4", PUBSUB_TYPE))).status).toBe(200);
  expect(endpoint.log.findLast(({ message: text }) => text === "invocation received")).toMatchObject({ attempt: 2 });
});

test("the event that we answer with is not work", async () => {
  const headers = asHeaders("5", "comfy-endpoint.invocation.succeeded");
  const answer = await withoutPrompt(endpoint, () => call(endpoint, "/events", { prompt: colourGraph(4) }, headers));
  expect(answer.status).toBe(204);
});

test("a Pub/Sub push is acknowledged when its work is done, and its result is kept under the message's id", async () => {
  expect((await call(endpoint, "/pubsub", message("m2", { prompt: colourGraph(5) }))).status).toBe(204);
  expect((await get(endpoint, "/status/m2")).body).toMatchObject({ status: "COMPLETED", output: { id: "m2" } });
});

test("F1: an event that comes twice runs once", async () => {
  const before = promptsRun(endpoint);
  const push = () => call(endpoint, "/pubsub", message("m3", { prompt: colourGraph(6) }));
  expect((await push()).status).toBe(204);
  expect((await push()).status).toBe(204);
  expect(promptsRun(endpoint) - before).toBe(1);
});

test("F2, F17: a broker that hangs up and comes again joins the work that runs", async () => {
  const before = promptsRun(endpoint);
  const push = message("m4", slowTxt2Img({ steps: 150 }));
  const broker = new AbortController();
  const gone = endpoint.post("/pubsub", push, { signal: broker.signal }).catch(() => {});
  await endpoint.sampling();
  broker.abort();
  await gone;
  expect((await call(endpoint, "/pubsub", push)).status).toBe(204);
  expect((await get(endpoint, "/status/m4")).body).toMatchObject({ status: "COMPLETED" });
  expect(promptsRun(endpoint) - before).toBe(1);
});

test("F3: what can never succeed is acknowledged, and told under its id for a while", async () => {
  const poisons: [path: string, body: unknown, headers?: Record<string, string>][] = [
    ["/pubsub", message("p1", { hello: 1 })],
    ["/pubsub", { message: { messageId: "p2", data: "bm90IGpzb24=" } }],
    ["/pubsub", { message: { messageId: "p3" } }],
    ["/events", "not json", asHeaders("p4")],
    ["/events", { hello: 1 }, asHeaders("p5")],
    ["/events", { bucket: "b", name: "n" }, asHeaders("p6", "google.cloud.storage.object.v1.finalized")],
    ["/events", message("p7", { hello: 1 }), asHeaders("p7", PUBSUB_TYPE)],
    ["/events", {}, asHeaders("p8", PUBSUB_TYPE)],
  ];
  for (const [path, body, headers] of poisons) {
    const answer = await withoutPrompt(endpoint, () => call(endpoint, path, body, headers));
    expect(answer.status, JSON.stringify(body)).toBe(204);
  }
  expect((await get(endpoint, "/status/p1")).body).toMatchObject({ status: "FAILED" });
  expect(endpoint.log.some(({ message: text }) => text.includes("can never succeed"))).toBe(true);
});

test("what is no event is refused, and nothing is acknowledged", async () => {
  const cases: [path: string, body: unknown, headers: Record<string, string>, status: number][] = [
    ["/pubsub", { prompt: colourGraph(1) }, {}, 422],
    ["/pubsub", "{", {}, 400],
    ["/events", { prompt: colourGraph(1) }, {}, 422],
    ["/events", { ...attributes("x"), source: "" }, STRUCTURED, 422],
    ["/events", "{", STRUCTURED, 400],
    ["/events", [], { "content-type": "application/cloudevents-batch+json" }, 422],
  ];
  for (const [path, body, headers, status] of cases)
    expect((await call(endpoint, path, body, headers)).status, JSON.stringify([path, body])).toBe(status);
});

test("what may succeed another time is not acknowledged", async () => {
  const running = call(endpoint, "/pubsub", message("m5", slowTxt2Img({ steps: 3_000 })));
  await endpoint.sampling();
  process.kill(endpoint.enginePid(), "SIGKILL");
  expect(await running).toMatchObject({ status: 502, body: { error: { code: "comfyui_exited", retryable: true } } });
  await eventually(
    () => fetch(`${endpoint.url}/ready`),
    ({ status }) => status === 200,
  );
});
