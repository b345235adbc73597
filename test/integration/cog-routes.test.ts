import { beforeAll, expect, test } from "vitest";
import type { RunningEndpoint } from "../support/endpoint.ts";
import { colourGraph, slowTxt2Img } from "../support/payloads.ts";
import { call, eventually, get, promptsRun, withoutPrompt } from "../support/platform-calls.ts";
import { sharedEndpoint } from "../support/sdapi.ts";

let endpoint: RunningEndpoint;
beforeAll(() =>
  sharedEndpoint((started) => {
    endpoint = started;
  }),
);

const colour = (value: number) => ({ input: { workflow: colourGraph(value) } });

test("a prediction waits, and carries output, times and the id that was given", async () => {
  const { status, body } = await call(endpoint, "/predictions", { id: "own-id", ...colour(1) });
  expect(status).toBe(200);
  expect(body).toMatchObject({
    id: "own-id",
    status: "succeeded",
    output: { outputs: [{ node_id: "2" }] },
    logs: "",
    metrics: { predict_time: expect.any(Number) },
  });
  expect(Date.parse(body.completed_at)).toBeGreaterThanOrEqual(Date.parse(body.started_at));
});

test("F1, F2: PUT is idempotent: running or done, the same prediction runs once; another under its id is 409", async () => {
  const before = promptsRun(endpoint);
  const slow = { input: slowTxt2Img({ steps: 100 }) };
  const put = (body: object) => call(endpoint, "/predictions/once", body, {}, "PUT");
  const first = put(slow);
  await endpoint.sampling();
  const second = put(slow);
  expect(await put(colour(2))).toMatchObject({ status: 409, body: { detail: expect.stringContaining("once") } });
  expect((await second).body).toEqual((await first).body);
  expect(await put(slow)).toMatchObject({ status: 200, body: { id: "once", status: "succeeded" } });
  expect(promptsRun(endpoint) - before).toBe(1);
});

test("`Prefer: respond-async` answers 202, and the prediction can be fetched", async () => {
  const started = await call(endpoint, "/predictions", colour(3), { prefer: "respond-async" });
  expect(started).toMatchObject({ status: 202, body: { id: expect.any(String), status: "starting" } });
  const done = await eventually(
    () => get(endpoint, `/predictions/${started.body.id}`),
    ({ body }) => body["status"] !== "processing",
  );
  expect(done.body).toMatchObject({ status: "succeeded" });
});

test("cancel ends a prediction that runs; its caller is told `canceled`", async () => {
  const running = call(endpoint, "/predictions/stopped", { input: slowTxt2Img({ steps: 3_000 }) }, {}, "PUT");
  await endpoint.sampling();
  expect(await call(endpoint, "/predictions/stopped/cancel", {})).toMatchObject({ status: 200, body: {} });
  expect(await running).toMatchObject({ status: 200, body: { id: "stopped", status: "canceled" } });
  expect((await call(endpoint, "/predictions/nobody/cancel", {})).status).toBe(404);
});

test("F17: a caller that goes away cancels its prediction", async () => {
  const caller = new AbortController();
  const gone = endpoint
    .post("/predictions", { id: "left", input: slowTxt2Img({ steps: 3_000 }) }, { signal: caller.signal })
    .catch(() => {});
  await endpoint.sampling();
  caller.abort();
  await gone;
  const done = await eventually(
    () => get(endpoint, "/predictions/left"),
    ({ body }) => body["status"] !== "processing",
  );
  expect(done.body).toMatchObject({ status: "canceled" });
});

test("F24: a webhook is refused by name, so no address is ever called", async () => {
  const refused = await withoutPrompt(endpoint, () =>
    call(endpoint, "/predictions", { ...colour(4), webhook: "http://127.0.0.1:1/" }),
  );
  expect(refused).toMatchObject({ status: 422, body: { detail: expect.stringContaining("webhook") } });
});

test("F3: bad input is 422 as FastAPI lists it", async () => {
  const cases: [body: object, loc: string[]][] = [
    [{}, ["body", "input"]],
    [{ id: "a/b", ...colour(1) }, ["body", "id"]],
    [{ input: { prompt: "a cat", steps: "many" } }, ["body", "steps"]],
  ];
  for (const [body, loc] of cases) {
    const refused = await call(endpoint, "/predictions", body);
    expect(refused, JSON.stringify(body)).toMatchObject({ status: 422, body: { detail: [{ loc }] } });
  }
  expect((await call(endpoint, "/predictions/a", { id: "b", ...colour(1) }, {}, "PUT")).status).toBe(422);
});

test("a prediction that fails while it runs is 200 with status `failed`", async () => {
  const late = await call(
    endpoint,
    "/predictions",
    { input: slowTxt2Img({ steps: 3_000 }) },
    { "x-timeout-ms": "200" },
  );
  expect(late).toMatchObject({ status: 200, body: { status: "failed", error: expect.stringContaining("deadline") } });
});
