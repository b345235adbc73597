/** A queue of SQS, and the bucket of the results. */
import { setTimeout as sleep } from "node:timers/promises";
import { type Aws, BUCKET, startAws } from "../support/aws.ts";
import { startWorker } from "../support/endpoint.ts";
import { adapterContract } from "./adapter-contract.ts";
import type { Outcome } from "./driver.ts";

type Document =
  | { id: string; status: "succeeded"; outputs: { key: string }[] }
  | { id: string; status: "failed"; error: { code: string; message: string; retryable: boolean } };

adapterContract({
  name: "sqs",
  early: "left",
  retryable: "brought again",
  interrupted: "left",
  traceField: "traceparent",
  lacks: {
    "time limit": "a message's lease is renewed as long as it takes",
    cancel: "a message cannot be called back",
    "largest answer": "results lie in the bucket",
    progress: "a queue tells nobody how a message is getting on",
    order: "a standard queue keeps none",
    "answer without a bucket": "every result lies in the bucket, where all of these tests read it",
  },
  mistake: { SQS_VISIBILITY_SECONDS: "soon" },
  start: async (settings, atEnd) => {
    const aws = await startAws({}, atEnd);
    const worker = startWorker({ ...aws.settings, ...settings }, atEnd);
    return {
      worker,
      invoke: async (payload, { id, trace }) => {
        const traceparent = { DataType: "String", StringValue: trace! };
        const messageAttributes = trace === undefined ? {} : { messageAttributes: { traceparent } };
        const { messageId } = aws.fauxqs.sendMessage("jobs", bodyOf(named(payload, id)), messageAttributes);
        return read(aws, await documentOf(aws, [id, messageId], worker.exited));
      },
    };
  },
});

/** With its id where there is a place for one; else the message's own is it. */
function named(payload: unknown, id: string): unknown {
  const isObject = typeof payload === "object" && payload !== null && !Array.isArray(payload);
  return isObject && !("1" in payload) ? { id, ...payload } : payload;
}

/** SQS takes letters beyond 16 bits; fauxqs, of JSON's escapes alone. */
const bodyOf = (payload: unknown) =>
  JSON.stringify(payload).replaceAll(/[\ud800-\udfff]/g, (half) => `\\u${half.charCodeAt(0).toString(16)}`);

/** Never resolves when there is none. */
async function documentOf(aws: Aws, ids: readonly string[], exited: Promise<unknown>): Promise<Document> {
  let isOver = false;
  void exited.then(() => {
    isOver = true;
  });
  for (;;) {
    const wasOver = isOver;
    const [document] = (await Promise.all(ids.map((id) => aws.read(`results/${id}.json`)))).filter(Boolean);
    if (document) return document as Document;
    if (wasOver) return new Promise(() => {});
    await sleep(50);
  }
}

async function read(aws: Aws, document: Document): Promise<Outcome> {
  const { id, status } = document;
  if (status === "failed") return { status, ...document.error };
  const outputs = document.outputs.map(async ({ key }) => {
    const response = await fetch(`http://127.0.0.1:${aws.fauxqs.port}/${BUCKET}/${key}`);
    return Buffer.from(await response.arrayBuffer());
  });
  return { status, id, outputs: await Promise.all(outputs) };
}
