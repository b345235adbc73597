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
  },
  start: async (settings, atEnd) => {
    const aws = await startAws({}, atEnd);
    const worker = startWorker({ ...aws.settings, ...settings }, atEnd);
    return {
      worker,
      invoke: async (payload, { id, trace }) => {
        const messageAttributes = trace !== undefined && {
          messageAttributes: { traceparent: { DataType: "String", StringValue: trace } },
        };
        aws.fauxqs.sendMessage("jobs", JSON.stringify({ id, ...payload }), { ...messageAttributes });
        return read(aws, await documentOf(aws, id, worker.exited));
      },
    };
  },
});

/** Never resolves when there is none. */
async function documentOf(aws: Aws, id: string, exited: Promise<unknown>): Promise<Document> {
  let isOver = false;
  void exited.then(() => {
    isOver = true;
  });
  for (;;) {
    const wasOver = isOver;
    const document = await aws.read(`results/${id}.json`);
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
