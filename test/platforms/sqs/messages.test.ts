/** What messages may look like, and what becomes of them. */
import { expect, test } from "vitest";
import { BUCKET, startAws } from "../../support/aws.ts";
import { startEndpoint } from "../../support/endpoint.ts";
import { colourGraph, quickTxt2Img } from "../../support/payloads.ts";

const sns = (message: unknown) => ({ Type: "Notification", MessageId: "m", Message: JSON.stringify(message) });

const s3Event = (key: string) => ({
  Records: [
    { eventSource: "aws:s3", eventName: "ObjectCreated:Put", s3: { bucket: { name: BUCKET }, object: { key } } },
  ],
});

test("every form of a message gives its result document, by the payload's id or the message's", async () => {
  const aws = await startAws();
  await aws.write("in/a b+c ü.json", { id: "by-event", prompt: colourGraph(3) });
  await aws.write("big", { id: "by-pointer", prompt: colourGraph(4) });
  aws.fauxqs.createBucket("other");
  await aws.write("k", { id: "by-listed-bucket", prompt: colourGraph(7) }, "other");
  const pointer = ["software.amazon.payloadoffloading.PayloadS3Pointer", { s3BucketName: BUCKET, s3Key: "big" }];
  const bucketEvent = {
    "detail-type": "Object Created",
    source: "aws.s3",
    detail: { bucket: { name: "other" }, object: { key: "k" } },
  };
  const send = (body: unknown) => aws.fauxqs.sendMessage("jobs", JSON.stringify(body)).messageId;
  const ids = [
    ["{id, prompt}", "bare", send({ id: "bare", prompt: colourGraph(1) })],
    ["{id, input: {workflow}}", "input", send({ id: "input", input: { workflow: colourGraph(2) } })],
    ["no id of its own", undefined, send({ prompt: colourGraph(5) })],
    ["A1111's", undefined, send(quickTxt2Img())],
    ["wrapped by SNS", "topic", send(sns({ id: "topic", prompt: colourGraph(6) }))],
    ["an S3 notification", "by-event", send(s3Event("in/a+b%2Bc+%C3%BC.json"))],
    ["a pointer within SNS", "by-pointer", send(sns(pointer))],
    ["an EventBridge event of a bucket that may be read", "by-listed-bucket", send(bucketEvent)],
  ] as const;
  send({ Service: "Amazon S3", Event: "s3:TestEvent", Bucket: BUCKET });
  await aws.write("outputs/x/1/a.json", { id: "own", prompt: colourGraph(1) });
  send(s3Event("outputs/x/1/a.json"));

  await startEndpoint({ ...aws.settings, S3_PAYLOAD_BUCKETS: "some, other" });
  await aws.empty("jobs");
  for (const [form, own, messageId] of ids) {
    const id = own ?? messageId;
    expect(await aws.read(`results/${id}.json`), form).toMatchObject({ id, status: "succeeded", attempt: 1 });
    const [output] = ((await aws.read(`results/${id}.json`)) as { outputs: { key: string; bucket: string }[] }).outputs;
    expect(output!.key).toMatch(`outputs/${id}/1/`);
    expect(await aws.keys(output!.key)).toEqual([output!.key]);
  }
  expect(await aws.keys("results/")).toHaveLength(ids.length);
});

const bomb = [1, 2, 3, 4, 5].reduce<unknown>((message) => sns(message), { prompt: colourGraph(1) });
const POISON: readonly (readonly [name: string, body: string, code: string])[] = [
  ["invalid JSON", "{not json", "invalid_json"],
  ["no input", "{}", "invalid_request"],
  [
    "an unknown node",
    JSON.stringify({ prompt: { "1": { class_type: "NoSuchNode", inputs: {} } } }),
    "invalid_workflow",
  ],
  ["an id that is no part of a key", JSON.stringify({ id: "../a", prompt: colourGraph(1) }), "invalid_request"],
  ["wrapped five times (F22)", JSON.stringify(bomb), "invalid_request"],
  [
    "a pointer to a bucket that is not ours to read (F22)",
    JSON.stringify(["software.amazon.payloadoffloading.PayloadS3Pointer", { s3BucketName: "other", s3Key: "k" }]),
    "invalid_request",
  ],
  [
    "a pointer to nothing",
    JSON.stringify(["software.amazon.payloadoffloading.PayloadS3Pointer", { s3BucketName: BUCKET, s3Key: "k" }]),
    "invalid_request",
  ],
];

test.each([
  ["is deleted where there is no dead-letter queue", undefined],
  ["goes to the dead-letter queue by the queue's own policy", 3],
])("F3 a message that can never succeed is reported and %s", async (_name, maxReceiveCount) => {
  const aws = await startAws(maxReceiveCount === undefined ? {} : { maxReceiveCount });
  const endpoint = await startEndpoint(aws.settings);
  const ids = POISON.map(([, body]) => aws.fauxqs.sendMessage("jobs", body).messageId);
  const good = aws.fauxqs.sendMessage("jobs", JSON.stringify({ id: "good", prompt: colourGraph(1) }));
  await aws.empty("jobs");

  expect(await aws.read("results/good.json"), good.messageId).toMatchObject({ status: "succeeded" });
  for (const [index, [name, , code]] of POISON.entries()) {
    const document = await aws.read(`results/${ids[index]}.json`);
    expect(document, name).toMatchObject({
      status: "failed",
      message_id: ids[index],
      error: { code, retryable: false },
    });
  }
  const dead = aws.fauxqs.inspectQueue("dead")!.messages.ready.map(({ messageId }) => messageId);
  expect(new Set(dead)).toEqual(new Set(maxReceiveCount === undefined ? [] : ids));
  const engines = new Set(endpoint.log.flatMap(({ enginePid }) => enginePid ?? []));
  expect(engines.size, "the engine was not started again").toBe(1);
});

test("F1 the same id again: the result that stands is the answer, and the engine is not asked", async () => {
  const aws = await startAws();
  const endpoint = await startEndpoint(aws.settings);
  const send = () => aws.fauxqs.sendMessage("jobs", JSON.stringify({ id: "twice", prompt: colourGraph(1) }));
  send();
  await aws.empty("jobs");
  const first = await aws.read("results/twice.json");
  send();
  await aws.empty("jobs");
  expect(await aws.read("results/twice.json")).toEqual(first);
  expect(endpoint.log.filter(({ message }) => message === "prompt queued")).toHaveLength(1);
});

test("F1 another worker was first: its document stays, the message goes, and the reply is that document", async () => {
  const aws = await startAws();
  const { queueUrl } = aws.fauxqs.createQueue("replies");
  const endpoint = await startEndpoint({ ...aws.settings, SQS_RESULT_QUEUE_URL: queueUrl });
  aws.fauxqs.sendMessage("jobs", JSON.stringify({ id: "race", prompt: colourGraph(1) }));
  const other = { id: "race", status: "succeeded", attempt: 7, outputs: [] };
  // In the moment of the upload, which is after the look for a document and before its writing.
  let isWritten = false;
  aws.setFault(({ action, path }) => {
    if (action === "PUT" && path.includes("/outputs/") && !isWritten) {
      isWritten = true;
      void aws.write("results/race.json", other);
    }
    return undefined;
  });
  await aws.empty("jobs");
  expect(await aws.read("results/race.json")).toEqual(other);
  expect(endpoint.log.map(({ message }) => message)).toContain(
    "a result document with this id exists already and was kept",
  );
  const [reply] = aws.fauxqs.inspectQueue("replies")!.messages.ready;
  expect(JSON.parse(reply!.body)).toMatchObject({ status: "succeeded", attempt: 7 });
});

test("replies carry the document and its place, and what the message brought along", async () => {
  const aws = await startAws({ maxReceiveCount: 3 });
  const { queueUrl } = aws.fauxqs.createQueue("replies");
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const messageAttributes = { traceparent: { DataType: "String", StringValue: traceparent } };
  const send = (id: string, prompt: unknown) =>
    aws.fauxqs.sendMessage("jobs", JSON.stringify({ id, prompt }), { messageAttributes }).messageId;
  const long = "x".repeat(1_000_000);
  const sent = {
    good: send("good", colourGraph(1)),
    bad: send("bad", {}),
    broken: aws.fauxqs.sendMessage("jobs", "{not json", { messageAttributes }).messageId,
    long: send("long", {
      "1": { class_type: "PrimitiveString", inputs: { value: long } },
      "2": { class_type: "PreviewAny", inputs: { source: ["1", 0] } },
    }),
  };
  const endpoint = await startEndpoint({ ...aws.settings, S3_PREFIX: "team/", SQS_RESULT_QUEUE_URL: queueUrl });
  await aws.empty("jobs");

  const replies = aws.fauxqs.inspectQueue("replies")!.messages.ready;
  expect(replies, "one each, however often the dead-letter queue's policy has the message delivered").toHaveLength(4);
  expect(replies.map(({ messageAttributes: given }) => given["traceparent"]?.StringValue)).toEqual(
    replies.map(() => traceparent),
  );
  const bodies = Object.fromEntries(
    replies.map(({ body }) => JSON.parse(body) as { id: string; document: unknown }).map((body) => [body.id, body]),
  );
  const place = (id: string) => ({ bucket: BUCKET, key: `team/results/${id}.json` });
  expect(bodies["good"]).toEqual({
    ...((await aws.read("team/results/good.json")) as object),
    message_id: sent.good,
    document: place("good"),
  });
  const ran = endpoint.log.filter(
    ({ message, invocationId }) => message === "prompt queued" && invocationId === "good",
  );
  expect(ran, "found in the log by what the message brought").toMatchObject([{ messageId: sent.good, traceparent }]);
  expect(bodies["bad"]).toMatchObject({ status: "failed", message_id: sent.bad, document: place("bad") });
  expect(bodies["long"], "F16 too large for a queue").toEqual({
    id: "long",
    status: "succeeded",
    attempt: 1,
    message_id: sent.long,
    document: place("long"),
  });
});

test("a queue has its own address where only the bucket is elsewhere", async () => {
  const aws = await startAws();
  const { AWS_ENDPOINT_URL: address = "", ...settings } = aws.settings;
  const queue = { SQS_QUEUE_URL: `${address}/000000000000/jobs`, BUCKET_ENDPOINT_URL: address };
  await startEndpoint({ ...settings, ...queue });
  aws.fauxqs.sendMessage("jobs", JSON.stringify({ id: "a", prompt: colourGraph(1) }));
  await aws.empty("jobs");
  expect(await aws.read("results/a.json")).toMatchObject({ status: "succeeded" });
});
