import { beforeAll, expect, test } from "vitest";
import type { RunningEndpoint } from "../support/endpoint.ts";
import { colourGraph, quickTxt2Img, slowTxt2Img } from "../support/payloads.ts";
import { call, eventually, get } from "../support/platform-calls.ts";
import { sharedEndpoint } from "../support/sdapi.ts";

let endpoint: RunningEndpoint;
beforeAll(() =>
  sharedEndpoint((started) => {
    endpoint = started;
  }),
);

const isOver = ({ body }: { body: Record<string, unknown> }) => body["status"] !== "IN_PROGRESS";

test("/runsync waits and answers as RunPod does, worker-comfyui's users in its own form and words", async () => {
  const { status, body } = await call(endpoint, "/runsync", { input: { workflow: colourGraph(1) } });
  expect(status).toBe(200);
  expect(body).toMatchObject({ id: expect.any(String), status: "COMPLETED", output: { images: [{ type: "base64" }] } });
  const failed = await call(endpoint, "/runsync", { input: { workflow: colourGraph(1), images: 1 } });
  const error = "'images' must be a list of objects with 'name' and 'image' keys";
  expect(failed.body).toMatchObject({ status: "FAILED", error });
  const native = await call(endpoint, "/runsync", { input: { workflow_json: colourGraph(1) } });
  expect(native.body).toMatchObject({ status: "COMPLETED", output: { outputs: [{ node_id: "2" }] } });
});

test("/run answers at once; /status tells the rest, by GET and by POST, as often as asked", async () => {
  const { status, body } = await call(endpoint, "/run", { input: quickTxt2Img() });
  expect({ status, body }).toEqual({ status: 200, body: { id: expect.any(String), status: "IN_PROGRESS" } });
  const done = await eventually(() => get(endpoint, `/status/${body.id}`), isOver);
  expect(done.body).toMatchObject({ id: body.id, status: "COMPLETED", output: { images: [expect.any(String)] } });
  expect((await call(endpoint, `/status/${body.id}`, {})).body).toEqual(done.body);
});

test("/runsync leaves a caller whose time is over with the id, and the job goes on", async () => {
  const { body } = await call(endpoint, "/runsync?wait=1000", { input: slowTxt2Img({ steps: 250 }) });
  expect(body).toEqual({ id: expect.any(String), status: "IN_PROGRESS" });
  const done = await eventually(() => get(endpoint, `/status/${body.id}`), isOver);
  expect(done.body).toMatchObject({ status: "COMPLETED" });
});

test("/cancel ends a job that runs and leaves a finished one as it is", async () => {
  const running = await call(endpoint, "/run", { input: slowTxt2Img({ steps: 3_000 }) });
  await endpoint.sampling();
  const cancelled = await call(endpoint, `/cancel/${running.body.id}`, {});
  expect(cancelled).toMatchObject({ status: 200, body: { id: running.body.id, status: "CANCELLED" } });
  expect((await get(endpoint, `/status/${running.body.id}`)).body).toMatchObject({ status: "CANCELLED" });

  const done = await call(endpoint, "/runsync", { input: { workflow: colourGraph(2) } });
  expect((await call(endpoint, `/cancel/${done.body.id}`, {})).body).toMatchObject({ status: "COMPLETED" });
});

test("the policy's time limit is the job's", async () => {
  const order = { input: slowTxt2Img({ steps: 3_000 }), policy: { executionTimeout: 300 } };
  expect((await call(endpoint, "/runsync", order)).body).toMatchObject({ status: "TIMED_OUT" });
});

test("F3: a job that cannot run is FAILED with what was wrong", async () => {
  const { status, body } = await call(endpoint, "/runsync", { input: quickTxt2Img({ steps: "many" }) });
  expect({ status, body }).toEqual({
    status: 200,
    body: {
      id: expect.any(String),
      status: "FAILED",
      error: expect.stringContaining("steps"),
      output: { code: "invalid_request", retryable: false, details: expect.anything() },
    },
  });
});

test("F24: a webhook is refused by name, so no address is ever called", async () => {
  const order = { input: { workflow: colourGraph(1) }, webhook: "http://169.254.169.254/latest" };
  const refused = await call(endpoint, "/run", order);
  expect(refused).toMatchObject({ status: 422, body: { error: { code: "unsupported_feature" } } });
});

test("bad requests are refused with what is wrong", async () => {
  const cases: [path: string, body: unknown, status: number, text: string][] = [
    ["/runsync", {}, 422, "input"],
    ["/runsync", "{", 400, "JSON"],
    ["/runsync?wait=soon", { input: {} }, 422, "wait"],
    ["/run", { input: {}, policy: { executionTimeout: "long" } }, 422, "policy.executionTimeout"],
    ["/status/nobody", {}, 404, "nobody"],
    ["/cancel/nobody", {}, 404, "nobody"],
  ];
  for (const [path, body, status, text] of cases) {
    const refused = await call(endpoint, path, body);
    expect(refused.status, path).toBe(status);
    expect(refused.body.error.message, path).toContain(text);
  }
});
