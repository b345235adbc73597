/** What a caller of the function gets, on the real process. */
import { expect, test } from "vitest";
import { startLambda } from "../../support/lambda-runtime.ts";
import { colourGraph, longTextGraph, slowTxt2Img } from "../../support/payloads.ts";
import { decode } from "../../support/pictures.ts";

test("a direct invoke is answered with the result, under the request's id, and the trace id is in the log", async () => {
  const { runtime, worker } = await startLambda();
  const { kind, body } = await runtime.invoke(
    { prompt: colourGraph(0x102030) },
    { requestId: "request-1", headers: { "lambda-runtime-trace-id": "Root=1-5759e988-bd862e3fe1be46a994272793" } },
  );
  expect(kind).toBe("response");
  const { id, status, outputs } = body as { id: string; status: string; outputs: { data: string }[] };
  expect({ id, status }).toEqual({ id: "request-1", status: "succeeded" });
  expect([...(await decode(Buffer.from(outputs[0]!.data, "base64"))).data.subarray(0, 3)]).toEqual([0x10, 0x20, 0x30]);
  const line = await worker.logged(({ message }) => message === "invocation finished");
  expect(line).toMatchObject({ requestId: "request-1", traceId: "Root=1-5759e988-bd862e3fe1be46a994272793" });
});

test("F3: a payload that can never succeed is an error of the function with its code as the type, and the next invocation is served by the same engine", async () => {
  const { runtime, worker } = await startLambda();
  const cases: [event: unknown, errorType: string][] = [
    ["{not json", "invalid_json"],
    [{}, "invalid_request"],
    [null, "invalid_request"],
    [{ prompt: { "1": { class_type: "NoSuchNode", inputs: {} } } }, "invalid_workflow"],
    [{ prompt: "a fox", sampler_name: "nope" }, "unknown_sampler"],
  ];
  for (const [event, errorType] of cases) {
    const { kind, body } = await runtime.invoke(event);
    expect({ kind, body }).toMatchObject({ kind: "error", body: { errorType, stackTrace: [], retryable: false } });
    expect((body as { errorMessage: string }).errorMessage.length).toBeGreaterThan(10);
  }
  expect(await runtime.invoke({ prompt: colourGraph(1) })).toMatchObject({ kind: "response" });
  expect(worker.log.filter(({ to }) => to === "starting" || to === "restarting")).toEqual([]);
});

test("F7: an invocation is interrupted before its deadline, told as an error, and nothing of it runs afterwards", async () => {
  const { runtime, worker } = await startLambda();
  await runtime.polling();
  const deadlineMs = Date.now() + 3_000;
  const { kind, body } = await runtime.invoke(slowTxt2Img({ steps: 4_000 }), { deadlineMs });
  expect(Date.now()).toBeLessThan(deadlineMs);
  expect({ kind, body }).toMatchObject({ kind: "error", body: { errorType: "deadline_exceeded" } });
  const startedAt = performance.now();
  expect(await runtime.invoke({ prompt: colourGraph(1) })).toMatchObject({ kind: "response" });
  expect(performance.now() - startedAt, "the engine is free again").toBeLessThan(8_000);
  expect(worker.log.some(({ to }) => to === "restarting")).toBe(false);
});

test("F7: an invocation whose time is over when it comes does not reach the engine", async () => {
  const { runtime, worker } = await startLambda();
  const late = await runtime.invoke({ prompt: colourGraph(1) }, { deadlineMs: Date.now() - 1 });
  expect(late).toMatchObject({ kind: "error", body: { errorType: "deadline_exceeded" } });
  expect(worker.log.some(({ message }) => message === "prompt queued")).toBe(false);
});

test("F19: a deadline told by a clock that is 10 minutes off lasts as long as that clock says", async () => {
  const { runtime } = await startLambda();
  await runtime.polling();
  for (const skewMs of [600_000, -600_000]) {
    const theirNow = Date.now() + skewMs;
    const handOut = { deadlineMs: theirNow + 3_000, headers: { date: new Date(theirNow).toUTCString() } };
    const startedAt = performance.now();
    const { kind, body } = await runtime.invoke(slowTxt2Img({ steps: 4_000 }), handOut);
    const tookMs = performance.now() - startedAt;
    expect({ kind, body }).toMatchObject({ kind: "error", body: { errorType: "deadline_exceeded" } });
    expect(tookMs).toBeGreaterThan(1_200);
    expect(tookMs).toBeLessThan(3_000);
  }
});

test("F16: an answer above what Lambda carries is an error that says what would help, and is never sent", async () => {
  const { runtime } = await startLambda();
  const { kind, body } = await runtime.invoke({ prompt: longTextGraph(5_600_000) });
  expect({ kind, body }).toMatchObject({
    kind: "error",
    body: { errorType: "output_too_large", errorMessage: expect.stringContaining("S3_BUCKET"), retryable: false },
  });
  expect(runtime.calls.some(({ route }) => route.endsWith("/response"))).toBe(false);
  expect(await runtime.invoke({ prompt: longTextGraph(4_000_000) })).toMatchObject({ kind: "response" });
});

test("F16: an answer that Lambda refuses with 413 is told as an error, and the worker lives on", async () => {
  const { runtime } = await startLambda();
  runtime.fail("invocation/*/response", 413);
  const refused = await runtime.invoke({ prompt: colourGraph(1) });
  expect(refused).toMatchObject({ kind: "error", body: { errorType: "output_too_large" } });
  expect(await runtime.invoke({ prompt: colourGraph(2) })).toMatchObject({ kind: "response" });
});

test("AWS_LAMBDA_MAX_CONCURRENCY polls wait at once, and each event is answered under its own id", async () => {
  const { runtime } = await startLambda({ AWS_LAMBDA_MAX_CONCURRENCY: "2" });
  await runtime.polling(2);
  const ids = ["request-1", "request-2", "request-3"];
  const outcomes = await Promise.all(
    ids.map((requestId, index) => runtime.invoke({ prompt: colourGraph(index) }, { requestId })),
  );
  expect(outcomes.map(({ body }) => (body as { id: string }).id)).toEqual(ids);
  await runtime.polling(2);
});
