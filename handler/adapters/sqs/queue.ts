/** One queue of SQS. No call is repeated here beyond what the SDK does. */
import type { MessageAttributeValue, SQSClient, Message as SqsMessage } from "@aws-sdk/client-sqs";
import type { Config } from "../../config.ts";
import type { Message } from "../messages/run-message.ts";

export interface ReceivedMessage extends Message {
  receiptHandle: string;
  /** Milliseconds of the monotonic clock. */
  receivedAt: number;
  groupId: string | undefined;
  /** Its sender's, those that are text. */
  attributes: Record<string, string>;
  traceHeader: string | undefined;
}

/** What is sent to another queue. */
export interface Letter {
  body: string;
  attributes: Record<string, string>;
  traceHeader: string | undefined;
  groupId: string | undefined;
  /** For a FIFO queue, which forgets a second one with the same. */
  deduplicationId: string;
}

/** What SQS waits for a message at the longest; to know that a queue is empty takes less. */
const WAIT_SECONDS = { longest: 20, untilEmpty: 5 };
const CONNECT_TIMEOUT_MS = 5_000;
/** Longer than the wait. */
const REQUEST_TIMEOUT_MS = 30_000;
/** For the calls that are answered at once. */
const ANSWER_TIMEOUT_MS = 5_000;
/** A receipt handle that is no longer the message's. */
const LOST = ["ReceiptHandleIsInvalid", "MessageNotInflight", "InvalidParameterValue"];

/**
 * @param url of one of them, for the region.
 * @param endpoint address of another service than AWS's; the queues' own host then does not count.
 */
export async function openQueues(config: Config, url: string, endpoint: string | undefined) {
  const sqs = await import("@aws-sdk/client-sqs");
  const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret, AWS_SESSION_TOKEN: token, aliasesUsed } = config;
  // Keys under the bucket's own names need not be good for a queue.
  const isGiven = id !== undefined && secret !== undefined && !("BUCKET_ACCESS_KEY_ID" in aliasesUsed);
  const client = new sqs.SQSClient({
    region: regionOf(url) ?? config.AWS_REGION,
    ...(endpoint !== undefined && { endpoint }),
    ...(isGiven && {
      credentials: { accessKeyId: id, secretAccessKey: secret, ...(token !== undefined && { sessionToken: token }) },
    }),
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      throwOnRequestTimeout: true,
    },
  });
  return (url: string) => new Queue(client, sqs, url);
}

export class Queue {
  readonly url: string;
  readonly #client: SQSClient;
  readonly #sqs: typeof import("@aws-sdk/client-sqs");

  constructor(client: SQSClient, sqs: typeof import("@aws-sdk/client-sqs"), url: string) {
    this.#client = client;
    this.#sqs = sqs;
    this.url = url;
  }

  /** Waits for one message; undefined when none came. One at a time, so that the next of a FIFO group waits for it. */
  async receive(
    wait: keyof typeof WAIT_SECONDS,
    { visibilitySeconds, signal }: { visibilitySeconds: number; signal: AbortSignal },
  ): Promise<ReceivedMessage | undefined> {
    const command = new this.#sqs.ReceiveMessageCommand({
      QueueUrl: this.url,
      MaxNumberOfMessages: 1,
      WaitTimeSeconds: WAIT_SECONDS[wait],
      VisibilityTimeout: visibilitySeconds,
      MessageSystemAttributeNames: ["All"],
      MessageAttributeNames: ["All"],
    });
    const { Messages: [message] = [] } = await this.#client.send(command, { abortSignal: signal });
    return message && receivedMessage(message);
  }

  /** Hides a message for so long from now on; 0: the next receiver gets it. */
  async hide({ receiptHandle }: ReceivedMessage, seconds: number): Promise<void> {
    const command = new this.#sqs.ChangeMessageVisibilityCommand({
      QueueUrl: this.url,
      ReceiptHandle: receiptHandle,
      VisibilityTimeout: seconds,
    });
    await this.#client.send(command, { abortSignal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
  }

  async delete({ receiptHandle }: ReceivedMessage): Promise<void> {
    const command = new this.#sqs.DeleteMessageCommand({ QueueUrl: this.url, ReceiptHandle: receiptHandle });
    await this.#client.send(command, { abortSignal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
  }

  /** How often a message is received before it goes to the dead-letter queue; undefined without one. */
  async maxReceives(): Promise<number | undefined> {
    const command = new this.#sqs.GetQueueAttributesCommand({ QueueUrl: this.url, AttributeNames: ["RedrivePolicy"] });
    const { Attributes: attributes } = await this.#client.send(command, {
      abortSignal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    });
    const policy = attributes?.["RedrivePolicy"];
    return policy ? Number((JSON.parse(policy) as { maxReceiveCount: unknown }).maxReceiveCount) : undefined;
  }

  /** @returns the message's id. */
  async send({ body, attributes, traceHeader, groupId, deduplicationId }: Letter): Promise<string> {
    const isFifo = this.url.endsWith(".fifo");
    const command = new this.#sqs.SendMessageCommand({
      QueueUrl: this.url,
      MessageBody: body,
      MessageAttributes: asAttributes(attributes),
      ...(traceHeader !== undefined && { MessageSystemAttributes: asAttributes({ AWSTraceHeader: traceHeader }) }),
      ...(isFifo && { MessageGroupId: groupId ?? deduplicationId, MessageDeduplicationId: deduplicationId }),
      ...(!isFifo && groupId !== undefined && { MessageGroupId: groupId }),
    });
    const { MessageId: id } = await this.#client.send(command, { abortSignal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
    return id!;
  }
}

/** Of AWS's own queues, whose requests are signed for their region. */
export const regionOf = (url: string) => /^https:\/\/sqs\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?\//.exec(url)?.[1];

/** Whether an answer says that the message is somebody else's by now. */
export function saysLeaseLost(error: unknown): boolean {
  const { name = "", Code: code = "" } = error as { name?: string; Code?: string };
  return [name, code].some((given) => LOST.includes(given.split(".").at(-1)!));
}

function receivedMessage({
  MessageId: id,
  Body: body = "",
  ReceiptHandle: receiptHandle,
  Attributes: system = {},
  MessageAttributes: own = {},
}: SqsMessage): ReceivedMessage {
  const texts = Object.entries(own).flatMap(([name, { StringValue: text }]) =>
    text === undefined ? [] : [[name, text] as const],
  );
  return {
    id: id!,
    body,
    attempt: Number(system.ApproximateReceiveCount ?? 1),
    receiptHandle: receiptHandle!,
    receivedAt: performance.now(),
    groupId: system.MessageGroupId,
    attributes: Object.fromEntries(texts),
    traceHeader: system.AWSTraceHeader,
  };
}

const asAttributes = (texts: Record<string, string>): Record<string, MessageAttributeValue> =>
  Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, { DataType: "String", StringValue: text }]));
