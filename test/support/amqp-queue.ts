/** A sender's side of RabbitMQ: a queue for work, its dead letters, and a queue for the answers. */
import { Connection, type Envelope, type SyncMessage } from "rabbitmq-client";
import { EMULATOR_ENVIRONMENT } from "./endpoint.ts";

export interface Sender {
  queue: string;
  /** Of a worker of the queue. */
  settings: Record<string, string>;
  /** Sends a message with the answers' queue as `replyTo`, unless the properties name another. */
  send(body: unknown, properties?: Omit<Envelope, "routingKey">): Promise<void>;
  /** Sends a message that asks for no answer. */
  sendOnly(body: unknown): Promise<void>;
  /** Sends, and resolves with the answer, which comes by no queue. */
  ask(body: unknown): Promise<unknown>;
  /** The next answer. */
  answer(): Promise<Answer>;
  /** The next message that was given up. */
  dead(): Promise<SyncMessage>;
  /** Messages of the queue that no worker has, or of one beside it: `.dead`, `.retry-5s`, `.answers`. */
  count(beside?: string): Promise<number>;
  /** Resolves when it has so many. */
  has(count: number, beside?: string): Promise<void>;
  declare(): Promise<void>;
}

/** As it came; its body is read. */
export type Answer = Omit<SyncMessage, "body"> & {
  body: {
    id?: string;
    status?: string;
    error?: { code: string; message: string; retryable: boolean };
    outputs?: { data: string }[];
  };
};

let queues = 0;

/** @param brokerUrl see test/engine/rabbitmq.ts. @param isDeclared false: the queue is not there before `declare`. */
export async function connectSender(
  brokerUrl: string,
  atEnd: (stop: () => Promise<void>) => void,
  { isDeclared = true, queueArguments = {} }: { isDeclared?: boolean; queueArguments?: Record<string, unknown> } = {},
): Promise<Sender> {
  const queue = `jobs-${++queues}`;
  const connection = new Connection({ url: brokerUrl, retryLow: 200, retryHigh: 500 });
  connection.on("error", () => {});
  const publisher = connection.createPublisher({ confirm: true });
  atEnd(async () => {
    await publisher.close();
    await connection.close();
  });
  const declare = async () => {
    const deadLetters = { "x-dead-letter-exchange": "", "x-dead-letter-routing-key": `${queue}.dead` };
    await connection.queueDeclare({ queue, durable: true, arguments: { ...deadLetters, ...queueArguments } });
  };
  for (const beside of [".dead", ".answers"])
    await connection.queueDeclare({ queue: `${queue}${beside}`, durable: true });
  if (isDeclared) await declare();

  const count = async (beside = "") =>
    (await connection.queueDeclare({ queue: `${queue}${beside}`, passive: true })).messageCount;
  const next = async (beside: string) => {
    for (;;) {
      const message = await connection.basicGet({ queue: `${queue}${beside}`, noAck: true });
      if (message) return message as SyncMessage;
      await pause();
    }
  };
  return {
    queue,
    settings: { ...EMULATOR_ENVIRONMENT, AMQP_URL: brokerUrl, AMQP_QUEUE: queue },
    send: (body, properties = {}) =>
      publisher.send({ routingKey: queue, durable: true, replyTo: `${queue}.answers`, ...properties }, body),
    sendOnly: (body) => publisher.send({ routingKey: queue, durable: true }, body),
    ask: async (body) => {
      const client = connection.createRPCClient({ timeout: 20_000 });
      const { body: answer } = await client.send({ routingKey: queue, durable: true }, body);
      await client.close();
      return answer;
    },
    answer: async () => (await next(".answers")) as Answer,
    dead: () => next(".dead"),
    count,
    has: async (wanted, beside) => {
      // A waiting queue is not there before it is needed.
      while ((await count(beside).catch(() => 0)) !== wanted) await pause();
    },
    declare,
  };
}

const pause = () => new Promise((resolve) => setTimeout(resolve, 50));
