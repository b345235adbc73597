/** Tells the result queue what became of a message. */
import { createHash } from "node:crypto";
import type { ResultDocument, Results } from "../../outputs/results.ts";
import { type Patience, patiently } from "../messages/patiently.ts";
import type { Queue, ReceivedMessage } from "./queue.ts";

interface Reply extends Patience {
  message: ReceivedMessage;
  results: Results;
  replies: Queue;
}

/** SQS carries 1 MiB, the attributes included. */
const MAX_REPLY_BYTES = 900_000;
const MAX_ATTRIBUTES = 10;
/** They say where a long body lies, which the reply has not. */
const OF_THE_BODY = ["ExtendedPayloadSize", "SQSLargePayloadSize"];
/** What is wrong with a letter itself. */
const REFUSALS = ["InvalidMessageContents", "InvalidParameterValue", "InvalidAttributeValue", "UnsupportedOperation"];

/**
 * Sends the document, with its place, the message's id, and the message's own attributes (`traceparent` ...) and group.
 * One that is too large for a queue goes without its outputs. Waits for a queue that does not answer.
 */
export async function sendResult(document: ResultDocument, { message, results, replies, ...patience }: Reply) {
  const place = { bucket: results.bucket, key: results.key(document.id) };
  const reply = { ...document, message_id: message.id, document: place };
  const text = JSON.stringify(reply);
  const { outputs: _, ...short } = { outputs: undefined, ...reply };
  const attributes = Object.entries(message.attributes).filter(([name]) => !OF_THE_BODY.includes(name));
  const letter = {
    body: Buffer.byteLength(text) > MAX_REPLY_BYTES ? JSON.stringify(short) : text,
    attributes: Object.fromEntries(attributes.slice(0, MAX_ATTRIBUTES)),
    traceHeader: message.traceHeader,
    groupId: message.groupId,
    deduplicationId: createHash("sha256").update(`${document.id} ${document.status}`).digest("hex"),
  };
  await patiently(
    () => replies.send(letter),
    patience,
    (error) => !isRefusal(error),
  ).catch((error) => {
    if (!isRefusal(error)) throw error;
    patience.log.error({ err: error, id: document.id }, "the result queue refuses the reply; the result is in S3");
  });
}

const isRefusal = (error: unknown) => REFUSALS.includes((error as Error).name.split(".").at(-1)!);
