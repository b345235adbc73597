/** Events that carry messages: every recorded one, with results in a bucket. */
import { expect, test } from "vitest";
import EVENTS from "../../fixtures/platforms/lambda/events.json" with { type: "json" };
import { startAws } from "../../support/aws.ts";
import type { RunningWorker } from "../../support/endpoint.ts";
import { startLambda } from "../../support/lambda-runtime.ts";
import { colourGraph, slowTxt2Img } from "../../support/payloads.ts";

interface Record {
  messageId: string;
  body: string;
  attributes: { ApproximateReceiveCount: string };
  eventSourceARN: string;
}

const DONE = { kind: "response", body: { batchItemFailures: [] } };

/** A bucket for results, and others for payloads. */
async function startBuckets() {
  const aws = await startAws();
  for (const bucket of ["jobs", "big"]) aws.fauxqs.createBucket(bucket);
  return {
    settings: { ...aws.settings, S3_PAYLOAD_BUCKETS: "jobs,big" },
    put: async (bucket: string, key: string, body: object) => {
      const url = `http://127.0.0.1:${aws.fauxqs.port}/${bucket}/${key.split("/").map(encodeURIComponent).join("/")}`;
      expect((await fetch(url, { method: "PUT", body: JSON.stringify(body) })).status).toBe(200);
    },
    result: (id: string) => aws.read(`results/${id}.json`),
  };
}

/** A batch of so many bodies, as the recorded ones are. */
function batch(bodies: unknown[], { isFifo = false, attempt = 1, first = 1 } = {}): { Records: Record[] } {
  const [recorded] = EVENTS[isFifo ? "sqs-fifo-batch" : "sqs-one"].Records;
  const Records = bodies.map((body, index) => ({
    ...recorded!,
    messageId: `message-${first + index}`,
    body: typeof body === "string" ? body : JSON.stringify(body),
    attributes: { ...recorded!.attributes, ApproximateReceiveCount: String(attempt) },
  }));
  return { Records };
}

/** The recorded graph has no output; this one has. */
const withOutput = (event: object) =>
  JSON.stringify(event).replaceAll("EmptyImage", "PreviewAny").replaceAll("width", "source");

const fine = (id: string) => ({ id, prompt: colourGraph(1) });
/** What ends the engine, wherever this fault is on. */
const DEADLY = { COMFYUI_ARGS: "--fault crash=ImageInvert" };
const deadly = (id: string) => ({
  id,
  prompt: {
    "1": { class_type: "EmptyImage", inputs: { width: 64, height: 64, batch_size: 1, color: 0 } },
    "2": { class_type: "ImageInvert", inputs: { image: ["1", 0] } },
    "3": { class_type: "SaveImage", inputs: { images: ["2", 0], filename_prefix: "x" } },
  },
});
const endless = (id: string) => slowTxt2Img({ id, steps: 4_000 });

const failing = (...ids: string[]) => ({
  kind: "response",
  body: { batchItemFailures: ids.map((itemIdentifier) => ({ itemIdentifier })) },
});
const prompts = ({ log }: RunningWorker) => log.filter(({ message }) => message === "prompt queued").length;

test("F22: every recorded event of a queue, a topic, a bucket and a bus is decoded and run", async () => {
  const buckets = await startBuckets();
  const { runtime } = await startLambda(buckets.settings);
  await buckets.put("jobs", "in/a b+c ü.json", fine("from-notification"));
  await buckets.put("jobs", "in/a b+c.json", fine("from-event"));
  await buckets.put("big", "k1", fine("from-pointer"));
  const queued = {
    "sqs-one": "job-1",
    "sqs-attributes-and-trace": "job-1",
    "sqs-from-dlq": "job-1",
    "sqs-with-sns-envelope": "job-1",
    "sqs-with-s3-notification": "from-notification",
    "sqs-extended-client-pointer": "from-pointer",
    "sqs-eventbridge-envelope": "job-1",
  } as const;
  for (const [name, id] of Object.entries(queued) as [keyof typeof queued, string][]) {
    const event = withOutput(EVENTS[name]).replaceAll("job-1", name);
    expect(await runtime.invoke(event), name).toMatchObject(DONE);
    const written = id === "job-1" ? name : id;
    expect(await buckets.result(written), name).toMatchObject({ id: written, status: "succeeded" });
  }
  for (const [name, id] of Object.entries({ sns: "sns", s3: "from-event", eventbridge: "eventbridge" })) {
    const event = withOutput(EVENTS[name as "sns"]).replaceAll("job-1", name);
    const { kind, body } = await runtime.invoke(event);
    const answer = { kind: "response", body: { invocations: [{ id, status: "succeeded" }] } };
    expect({ kind, body }, name).toEqual(answer);
    expect(await buckets.result(id), name).toMatchObject({ id, status: "succeeded" });
  }
});

test("F22: S3's test event is done, by a queue and by itself", async () => {
  const { runtime, worker } = await startLambda();
  expect(await runtime.invoke(EVENTS["sqs-s3-test-event"])).toMatchObject(DONE);
  const alone = { Service: "Amazon S3", Event: "s3:TestEvent", Bucket: "jobs" };
  expect(await runtime.invoke(alone)).toMatchObject({ kind: "response", body: { invocations: [] } });
  expect(prompts(worker)).toBe(0);
});

test("F22: wrappings without end, and a pointer to a bucket that nobody allowed, are failures for good", async () => {
  const buckets = await startBuckets();
  const { runtime } = await startLambda({ ...buckets.settings, S3_PAYLOAD_BUCKETS: "jobs" });
  const wrap = (body: string) => JSON.stringify({ Type: "Notification", Message: body });
  const bomb = wrap(wrap(wrap(wrap(wrap(JSON.stringify(fine("wrapped")))))));
  const { body: pointer } = EVENTS["sqs-extended-client-pointer"].Records[0]!;
  expect(await runtime.invoke(batch([bomb, pointer]))).toMatchObject(DONE);
  for (const id of ["message-1", "message-2"])
    expect(await buckets.result(id)).toMatchObject({ status: "failed", error: { code: "invalid_request" } });
});

test("F3: a message that can never succeed is done, its error stands in its result document, and the others are served", async () => {
  const buckets = await startBuckets();
  const { runtime, worker } = await startLambda(buckets.settings);
  const event = JSON.parse(withOutput(EVENTS["sqs-batch-ok-fail-ok"])) as (typeof EVENTS)["sqs-batch-ok-fail-ok"];
  expect(await runtime.invoke(event)).toMatchObject(DONE);
  expect(await buckets.result("job-1")).toMatchObject({ status: "succeeded" });
  const { messageId } = event.Records[1]!;
  const error = { code: "invalid_json", retryable: false };
  expect(await buckets.result(messageId)).toMatchObject({ status: "failed", message_id: messageId, error });
  const unknown = { id: "unknown", prompt: { "1": { class_type: "NoSuchNode", inputs: {} } } };
  expect(await runtime.invoke(batch([unknown, {}]))).toMatchObject(DONE);
  expect(await buckets.result("unknown")).toMatchObject({ error: { code: "invalid_workflow" } });
  expect(worker.log.some(({ to }) => to === "restarting")).toBe(false);
});

test("of a batch only what may succeed another time comes again, also by EventBridge Pipes; what kills the engine twice does not", async () => {
  const buckets = await startBuckets();
  const { runtime } = await startLambda({ ...buckets.settings, ...DEADLY });
  const { Records: records } = batch([fine("first"), deadly("second"), fine("third")]);
  expect(await runtime.invoke(records)).toMatchObject(failing("message-2"));
  for (const id of ["first", "third"]) expect(await buckets.result(id)).toMatchObject({ status: "succeeded" });
  expect(await buckets.result("second")).toBeUndefined();
  expect(await runtime.invoke(batch([deadly("second")], { attempt: 2, first: 2 }))).toMatchObject(DONE);
  expect(await buckets.result("second")).toMatchObject({ status: "failed", error: { code: "crash_loop" } });
});

test("F23: in a FIFO queue nothing overtakes a failure: what comes after it is not run, and comes again with it", async () => {
  const buckets = await startBuckets();
  const { runtime } = await startLambda({ ...buckets.settings, ...DEADLY });
  const bodies = [fine("first"), deadly("second"), fine("third")];
  expect(await runtime.invoke(batch(bodies, { isFifo: true }))).toMatchObject(failing("message-2", "message-3"));
  expect(await buckets.result("first")).toMatchObject({ status: "succeeded" });
  expect(await buckets.result("third")).toBeUndefined();
  const again = batch(bodies.slice(1), { isFifo: true, attempt: 2, first: 2 });
  expect(await runtime.invoke(again)).toMatchObject(DONE);
  expect(await buckets.result("second")).toMatchObject({ error: { code: "crash_loop" } });
  expect(await buckets.result("third")).toMatchObject({ status: "succeeded" });
});

test("F23: in a FIFO queue a message that can never succeed is passed over when it comes again, if its error is written", async () => {
  const recorded = JSON.parse(withOutput(EVENTS["sqs-fifo-batch"])) as (typeof EVENTS)["sqs-fifo-batch"];
  const [, ...left] = recorded.Records.map((record) => ({
    ...record,
    attributes: { ...record.attributes, ApproximateReceiveCount: "2" },
  }));
  const ids = left.map(({ messageId }) => messageId);
  const buckets = await startBuckets();
  for (const [settings, then] of [
    [buckets.settings, DONE],
    [{}, failing(...ids)],
  ] as const) {
    const { runtime, worker } = await startLambda(settings);
    expect(await runtime.invoke(recorded)).toMatchObject(failing(...ids));
    expect(prompts(worker), "the third").toBe(1);
    expect(await runtime.invoke({ Records: left })).toMatchObject(then);
  }
});

test("F1: a message that comes again after it was finished is done, without the engine", async () => {
  const buckets = await startBuckets();
  const { runtime, worker } = await startLambda(buckets.settings);
  for (const attempt of [1, 2]) expect(await runtime.invoke(batch([fine("once")], { attempt }))).toMatchObject(DONE);
  expect(prompts(worker)).toBe(1);
});

test("F7: a message that takes all the time of an invocation of its own has failed; those that shared one come again", async () => {
  const buckets = await startBuckets();
  const { runtime } = await startLambda(buckets.settings);
  await runtime.polling();
  const shared = await runtime.invoke(batch([endless("one"), endless("two")]), { deadlineMs: Date.now() + 2_500 });
  expect(shared).toMatchObject(failing("message-1", "message-2"));
  // Of less, too little would be left for writing the result on a busy machine.
  const deadlineMs = Date.now() + 10_000;
  expect(await runtime.invoke(batch([endless("alone")]), { deadlineMs })).toMatchObject(DONE);
  expect(Date.now()).toBeLessThan(deadlineMs);
  expect(await buckets.result("alone")).toMatchObject({ error: { code: "deadline_exceeded" } });
  expect(await buckets.result("one")).toBeUndefined();
});

test("F13: SIGTERM in mid-batch: what is done is done, what is not comes again", async () => {
  const buckets = await startBuckets();
  const { runtime, worker } = await startLambda(buckets.settings);
  const outcome = runtime.invoke(batch([fine("first"), endless("second"), fine("third")]));
  await worker.logged(() => prompts(worker) === 2);
  worker.process.kill("SIGTERM");
  expect(await outcome).toMatchObject(failing("message-2", "message-3"));
  expect(await worker.exited).toBe(0);
});

test("an event of a topic fails the invocation only when Lambda's repetition may help", async () => {
  const { runtime } = await startLambda(DEADLY);
  const [notification] = EVENTS.sns.Records;
  const told = (message: object) => ({
    Records: [{ ...notification!, Sns: { ...notification!.Sns, Message: JSON.stringify(message) } }],
  });
  expect(await runtime.invoke(told(deadly("a")))).toMatchObject({
    kind: "error",
    body: { errorType: "comfyui_exited" },
  });
  const { kind, body } = await runtime.invoke(told({ id: "b" }));
  expect({ kind, body }).toMatchObject({
    kind: "response",
    body: { invocations: [{ id: "b", status: "failed", error: { code: "invalid_request" } }] },
  });
});
