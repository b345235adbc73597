import { expect, test } from "vitest";
import { type S3Place, unwrapMessage } from "../../../../../handler/adapters/messages/message.ts";
import { rejectionOf } from "../../../../support/thrown.ts";

const payload = { id: "job-1", prompt: {} };
const text = JSON.stringify(payload);
const pointer = (className: string) => [className, { s3BucketName: "big", s3Key: "k+1" }];
const sns = (message: string) => ({ Type: "Notification", TopicArn: "arn", Message: message });
const record = (key: string, eventName = "ObjectCreated:Put") => ({
  eventSource: "aws:s3",
  eventName,
  s3: { bucket: { name: "jobs" }, object: { key } },
});
const eventBridge = (source: string, type: string, detail: unknown) => ({
  version: "0",
  "detail-type": type,
  source,
  detail,
});
const s3Detail = { bucket: { name: "jobs" }, object: { key: "a+b%2B.json" } };
const cloudEvent = (rest: object) => ({ specversion: "1.0", id: "1", source: "s", type: "t", ...rest });

async function unwrapped(body: unknown) {
  const places: S3Place[] = [];
  const payloads = await unwrapMessage(typeof body === "string" ? body : JSON.stringify(body), async (place) => {
    places.push(place);
    return text;
  });
  return { payloads, places: places.map(({ bucket, key }) => `${bucket}/${key}`) };
}

test.each<[string, unknown, string[]]>([
  ["as it is", payload, []],
  ["within SNS", sns(text), []],
  ["within SNS within SNS", sns(JSON.stringify(sns(text))), []],
  ["EventBridge's detail", eventBridge("my.app", "job", payload), []],
  ["a CloudEvent's data", cloudEvent({ data: payload }), []],
  ["a CloudEvent's text", cloudEvent({ data: text }), []],
  ["a CloudEvent's bytes", cloudEvent({ data_base64: Buffer.from(text).toString("base64") }), []],
  ["a pointer", pointer("software.amazon.payloadoffloading.PayloadS3Pointer"), ["big/k+1"]],
  ["a pointer of the older class", pointer("com.amazon.sqs.javamessaging.MessageS3Pointer"), ["big/k+1"]],
  ["a notification, whose key is encoded", { Records: [record("in/a+b%2Bc+%C3%BC.json")] }, ["jobs/in/a b+c ü.json"]],
  [
    "S3's event by EventBridge, whose key is not",
    eventBridge("aws.s3", "Object Created", s3Detail),
    ["jobs/a+b%2B.json"],
  ],
  ["SNS with a notification", sns(JSON.stringify({ Records: [record("a")] })), ["jobs/a"]],
])("F22 %s", async (_name, body, places) => {
  expect(await unwrapped(body)).toEqual({ payloads: [payload], places });
});

test.each<[string, unknown, number]>([
  ["two objects", { Records: [record("a"), record("b")] }, 2],
  ["a removal", { Records: [record("a", "ObjectRemoved:Delete")] }, 0],
  ["a removal by EventBridge", eventBridge("aws.s3", "Object Deleted", s3Detail), 0],
  ["S3's test", { Service: "Amazon S3", Event: "s3:TestEvent", Bucket: "jobs" }, 0],
])("F22 %s: as many payloads as there is work", async (_name, body, count) => {
  expect((await unwrapped(body)).payloads).toHaveLength(count);
});

const wrapped = (times: number) =>
  Array.from({ length: times }).reduce<string>((message) => JSON.stringify(sns(message)), text);

test("F22 four wrappings are taken off, and five are refused", async () => {
  expect((await unwrapped(wrapped(4))).payloads).toEqual([payload]);
  expect(await rejectionOf(unwrapped(wrapped(5)))).toMatchObject({ code: "invalid_request", retryable: false });
});

test.each<[string, unknown, string]>([
  ["no JSON", "{not json", "invalid_json"],
  ["no JSON within SNS", sns("{not json"), "invalid_json"],
  [
    "a pointer without a key",
    ["software.amazon.payloadoffloading.PayloadS3Pointer", { s3BucketName: "b" }],
    "invalid_request",
  ],
  ["a key that is not encoded", { Records: [record("100%")] }, "invalid_request"],
])("%s is refused for good", async (_name, body, code) => {
  expect(await rejectionOf(unwrapped(body))).toMatchObject({ code, retryable: false });
});
