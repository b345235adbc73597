/** Events that carry messages: batches of SQS, and what SNS, S3 and EventBridge send to a function by themselves. */
import type { Outcome } from "../messages/run-message.ts";

export interface SqsRecord {
  messageId: string;
  body: string;
  attributes: { ApproximateReceiveCount?: string; AWSTraceHeader?: string };
  eventSourceARN?: string;
}

/** A message that came as an event of its own, or beside others of its kind. */
export interface EventMessage {
  /** Undefined when only the invocation has an id. */
  id: string | undefined;
  /** As `unwrapMessage` takes it. */
  body: string;
}

interface BatchAnswer {
  batchItemFailures: { itemIdentifier: string }[];
}

/** The records of an event source mapping, or of EventBridge Pipes, which leaves out what is around them. */
export function sqsRecords(event: unknown): SqsRecord[] | undefined {
  const records = Array.isArray(event) ? event : recordsOf(event);
  return records.length > 0 && records.every(isSqsRecord) ? records : undefined;
}

/** What is in an event of SNS, S3 or EventBridge; undefined for another event. @param json the event's own text. */
export function eventMessages(event: unknown, json: string): EventMessage[] | undefined {
  const records = recordsOf(event);
  const notifications = records.map((record) => (record as { Sns?: SnsMessage } | null)?.Sns);
  if (notifications.length > 0 && notifications.every(isSnsMessage))
    return notifications.map(({ MessageId: id, Message: body }) => ({ id, body }));
  const isS3 = records.length > 0 && records.every((record) => sourceOf(record) === "aws:s3");
  const { "detail-type": detailType, detail, id, Event: test } = (event ?? {}) as Record<string, unknown>;
  const isEventBridge = typeof detailType === "string" && typeof detail === "object";
  if (isEventBridge) return [{ id: typeof id === "string" ? id : undefined, body: json }];
  return isS3 || test === "s3:TestEvent" ? [{ id: undefined, body: json }] : undefined;
}

/**
 * Runs the records of a batch: so many at once, but those of a FIFO queue in order until one fails.
 * @param run whether the record is done; false: it is to be delivered again.
 * @returns which ones SQS is to deliver again.
 */
export async function runBatch(
  records: readonly SqsRecord[],
  { atOnce, run }: { atOnce: number; run: (record: SqsRecord) => Promise<boolean> },
): Promise<BatchAnswer> {
  const isFifo = records.some(isOfFifo);
  const left = new Set(records.map(({ messageId }) => messageId));
  const waiting = records.values();
  const lane = async () => {
    for (const record of waiting) {
      if (await run(record)) left.delete(record.messageId);
      else if (isFifo) return;
    }
  };
  await Promise.all(Array.from({ length: isFifo ? 1 : atOnce }, lane));
  return { batchItemFailures: [...left].map((itemIdentifier) => ({ itemIdentifier })) };
}

/**
 * Whether SQS may forget a record. What can never succeed is done too, since a queue without a redrive policy would deliver it for days.
 * In a FIFO queue nothing overtakes it, however: it is passed over only when it comes again and its result stands.
 */
export function isDone(record: SqsRecord, outcomes: readonly Outcome[], hasResults: boolean): boolean {
  const isPassed = !isOfFifo(record) || (hasResults && attemptOf(record) > 1);
  return outcomes.every(({ status }) => status === "succeeded" || (status === "failed" && isPassed));
}

export const attemptOf = ({ attributes }: SqsRecord) => Number(attributes.ApproximateReceiveCount ?? 1);

const isOfFifo = ({ eventSourceARN = "" }: SqsRecord) => eventSourceARN.endsWith(".fifo");

function recordsOf(event: unknown): unknown[] {
  const { Records: records } = (event ?? {}) as { Records?: unknown };
  return Array.isArray(records) ? records : [];
}

const sourceOf = (record: unknown) => ((record ?? {}) as { eventSource?: unknown }).eventSource;

function isSqsRecord(record: unknown): record is SqsRecord {
  const { messageId, body, attributes } = (record ?? {}) as Partial<SqsRecord>;
  const isWhole = typeof messageId === "string" && typeof body === "string" && typeof attributes === "object";
  return sourceOf(record) === "aws:sqs" && isWhole && attributes !== null;
}

interface SnsMessage {
  MessageId: string;
  Message: string;
}

function isSnsMessage(message: SnsMessage | undefined): message is SnsMessage {
  return typeof message?.MessageId === "string" && typeof message.Message === "string";
}
