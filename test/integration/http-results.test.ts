/** Work under an id with a bucket: what stands there is not done again, on any worker. */
import { expect, test } from "vitest";
import { startAws } from "../support/aws.ts";
import { type RunningEndpoint, startEndpoint } from "../support/endpoint.ts";
import { colourGraph, slowTxt2Img } from "../support/payloads.ts";
import { base64, call, withoutPrompt } from "../support/platform-calls.ts";

/** A bucket, and workers of it that take their work over HTTP. */
async function startBucket() {
  const aws = await startAws();
  const { SQS_QUEUE_URL: _queue, ...settings } = aws.settings;
  const startWorker = async () => {
    const worker = await startEndpoint(settings);
    await worker.ready();
    return worker;
  };
  return { ...aws, startWorker };
}

const push = (worker: RunningEndpoint, messageId: string, payload: unknown) =>
  call(worker, "/pubsub", { message: { messageId, data: base64(payload) }, subscription: "s" });

const put = (worker: RunningEndpoint, color: number) =>
  call(worker, "/predictions/p-1", { input: { workflow: colourGraph(color) } }, {}, "PUT");

test("F1: an event and a PUT that come to another worker are answered from the result document", async () => {
  const { startWorker, read } = await startBucket();
  const [first, second] = await Promise.all([startWorker(), startWorker()]);
  expect((await push(first, "m-1", { prompt: colourGraph(1) })).status).toBe(204);
  expect((await withoutPrompt(second, () => push(second, "m-1", { prompt: colourGraph(1) }))).status).toBe(204);
  expect(await read("results/m-1.json")).toMatchObject({ id: "m-1", status: "succeeded", outputs: [{ node_id: "2" }] });

  expect((await put(first, 2)).body).toMatchObject({ status: "succeeded", output: { status: "succeeded" } });
  const again = await withoutPrompt(second, () => put(second, 2));
  expect(again.body).toMatchObject({
    id: "p-1",
    status: "succeeded",
    output: (await read("results/p-1.json")) as object,
  });
});

test("F3: a poison event is acknowledged with its error in the bucket, and stays so", async () => {
  const { startWorker, read } = await startBucket();
  const worker = await startWorker();
  expect((await push(worker, "poison", { hello: 1 })).status).toBe(204);
  const document = await read("results/poison.json");
  expect(document).toMatchObject({ id: "poison", status: "failed", error: { code: "invalid_request" } });
  const unreadable = { message: { messageId: "no-json", data: "bm90IGpzb24=" }, subscription: "s" };
  expect((await call(worker, "/pubsub", unreadable)).status).toBe(204);
  expect(await read("results/no-json.json")).toMatchObject({ status: "failed", error: { code: "invalid_json" } });
  const other = await startWorker();
  expect((await push(other, "poison", { hello: 1 })).status).toBe(204);
});

test("F14: work that dies with its worker leaves nothing in the bucket, and the next worker does it from the start", async () => {
  const { startWorker, keys, read } = await startBucket();
  const [first, second] = await Promise.all([startWorker(), startWorker()]);
  const order = (worker: RunningEndpoint) => call(worker, "/invocations", slowTxt2Img(), { "idempotency-key": "o-1" });
  const lost = order(first).catch(() => "lost");
  await first.sampling();
  first.process.kill("SIGKILL");
  expect(await lost).toBe("lost");
  expect(await keys("")).toEqual([]);
  expect(await order(second)).toMatchObject({ status: 200 });
  expect(await read("results/o-1.json")).toMatchObject({ status: "succeeded" });
});

test("an event whose bucket does not answer is not acknowledged, and runs when it comes again", async () => {
  const { startWorker, setFault, read } = await startBucket();
  const worker = await startWorker();
  setFault(() => 503);
  const refused = await withoutPrompt(worker, () => push(worker, "m-2", { prompt: colourGraph(3) }));
  expect(refused.status).toBe(502);
  setFault(undefined);
  expect((await push(worker, "m-2", { prompt: colourGraph(3) })).status).toBe(204);
  expect(await read("results/m-2.json")).toMatchObject({ status: "succeeded" });
});
