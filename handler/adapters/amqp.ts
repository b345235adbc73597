/**
 * Work from a queue of RabbitMQ (AMQP 0-9-1). A message is one invocation; it is acknowledged when its answer is with the broker, and goes to
 * the queue's dead-letter exchange when it failed for good. A message that may succeed later waits in a queue beside its own.
 */
import { createHash, randomUUID } from "node:crypto";
import { type AsyncMessage, Connection, ConsumerStatus } from "rabbitmq-client";
import * as z from "zod";
import { EndpointError, toEndpointError, toErrorBody } from "../../runtime/errors.ts";
import { readSettings } from "../config.ts";
import { withLogContext } from "../log.ts";
import { Results } from "../outputs/results.ts";
import { withinLimit } from "../outputs/within-limit.ts";
import type { Setting } from "../settings.ts";
import type { Adapter, AdapterContext, Intake } from "./adapter.ts";
import { type Patience, patiently } from "./messages/patiently.ts";
import { type Outcome, runMessage } from "./messages/run-message.ts";

export const SETTINGS = {
  AMQP_URL: {
    schema: z.url({ protocol: /^amqps?$/ }),
    description: "broker, with user, password and virtual host; makes this worker one of RabbitMQ",
    isSecret: true,
  },
  AMQP_QUEUE: {
    schema: z.string().min(1),
    description:
      "queue that the work comes from; it must be there, with a dead-letter exchange if failures are to be kept",
  },
  AMQP_MAX_ATTEMPTS: {
    schema: z.coerce.number().int().min(1).default(5),
    description: "how often a message is tried whose failures may pass (ComfyUI died, no memory ...)",
  },
  AMQP_MAX_REPLY_MB: {
    schema: z.coerce.number().positive().default(16),
    description:
      "largest reply that the broker takes; a larger one becomes links where there is a bucket, else `output_too_large`",
  },
} as const satisfies Record<string, Setting>;

type Settings = ReturnType<typeof readSettings<typeof SETTINGS>>;

/** Of the waiting queues; the last one counts for all further attempts. Each is a queue of its own: messages leave a queue in order. */
const PAUSES_SECONDS = [5, 30, 120];
const ATTEMPT_HEADER = "x-comfy-endpoint-attempt";
/** Would send copies to the sender's other queues again; and is in our own count already. */
const BROKERS_HEADERS = ["CC", "x-delivery-count"];
const HEARTBEAT_SECONDS = 30;
const MAX_PAUSE_MS = 5_000;

export const amqp: Adapter = {
  async start(context) {
    return new AmqpWorker(readSettings(SETTINGS, context.config.environment), context);
  },
};

class AmqpWorker implements Intake {
  readonly #settings: Settings;
  readonly #context: AdapterContext;
  readonly #results: Results | undefined;
  readonly #connection: Connection;
  /** Answers and postponed messages: sent when the broker says that it has them. */
  readonly #publisher;
  readonly #stopping = new AbortController();
  /** Of the messages at work: their broker is gone, and gives them to somebody else. */
  #lost = new AbortController();
  #consumer: ReturnType<Connection["createConsumer"]> | undefined;
  #closed: Promise<void> | undefined;

  constructor(settings: Settings, context: AdapterContext) {
    this.#settings = settings;
    this.#context = context;
    const { S3_BUCKET: bucket, S3_PREFIX: prefix } = context.config;
    this.#results = bucket === undefined ? undefined : new Results(bucket, prefix, context.openStore);
    this.#connection = new Connection({
      url: settings.AMQP_URL,
      heartbeat: HEARTBEAT_SECONDS,
      retryHigh: MAX_PAUSE_MS,
    });
    this.#connection.on("error", (error) => this.#lose(error, "no connection to the broker"));
    this.#connection.on("connection", () => context.log.info("connected to the broker"));
    this.#publisher = this.#connection.createPublisher({ confirm: true });
    void this.#consume();
  }

  stop(): void {
    this.#stopping.abort(new EndpointError("draining", "this worker is shutting down"));
    // Takes nothing more, and waits for what it has.
    this.#closed = this.#consumer?.close().catch((error: unknown) => {
      this.#context.log.warn({ err: error }, "the broker was not told that this worker leaves");
    });
  }

  async close(): Promise<void> {
    await this.#closed;
    await this.#publisher.close();
    await this.#connection.close();
  }

  /** Takes nothing before the engine serves. */
  async #consume(): Promise<void> {
    const { endpoint, log } = this.#context;
    const { signal } = this.#stopping;
    await endpoint.whenServing(signal).catch(() => this.stop());
    if (signal.aborted) return;
    const atOnce = endpoint.capacity;
    const { AMQP_QUEUE: queue } = this.#settings;
    this.#consumer = this.#connection.createConsumer(
      { queue, queueOptions: { passive: true }, qos: { prefetchCount: atOnce }, concurrency: atOnce },
      (message) => {
        const { messageId, headers } = message;
        return withLogContext({ messageId, traceparent: headers?.["traceparent"] }, () => this.#take(message));
      },
    );
    this.#consumer.on("error", (error) => this.#lose(error, `no messages come from ${queue}`));
    this.#consumer.on("ready", () => log.info({ queue }, "taking messages"));
  }

  #lose(cause: unknown, what: string): void {
    this.#context.log.warn({ err: cause }, `${what}; trying again until that is mended`);
    this.#lost.abort(
      new EndpointError("lease_lost", "the connection to the broker is lost, and the message with it", { cause }),
    );
    this.#lost = new AbortController();
  }

  /** @returns what the broker is told. Never throws. */
  async #take(message: AsyncMessage): Promise<ConsumerStatus> {
    const { log } = this.#context;
    const patience = { signal: this.#lost.signal, leaving: this.#stopping.signal, log };
    const id = idOf(message);
    const attempt = attemptOf(message);
    const outcome = await this.#run(message, id, attempt, patience);
    if (outcome === undefined) return ConsumerStatus.ACK;
    // A lost message is somebody else's already, whatever is said of it here.
    if (patience.signal.aborted) return ConsumerStatus.REQUEUE;
    try {
      // An answer that the broker refuses is not worth another run.
      const named = { ...message, messageId: message.messageId ?? id };
      return await patiently(
        () => this.#settle(named, outcome, attempt),
        patience,
        () => true,
      );
    } catch (error) {
      log.error({ err: error }, "the broker did not take the answer; the message comes again");
      return ConsumerStatus.REQUEUE;
    }
  }

  /** @returns undefined for a message without work. */
  async #run(message: AsyncMessage, id: string, attempt: number, patience: Patience): Promise<Outcome | undefined> {
    const { endpoint } = this.#context;
    const attemptLimit = async () => this.#settings.AMQP_MAX_ATTEMPTS;
    const context = {
      ...patience,
      endpoint,
      source: "amqp",
      results: this.#results,
      read: refusePointer,
      attemptLimit,
    };
    try {
      return (await runMessage({ id, body: textOf(message), attempt }, context))[0];
    } catch (error) {
      return { id, status: "failed", error: toErrorBody(toEndpointError(error)).error };
    }
  }

  async #settle(message: AsyncMessage, outcome: Outcome, attempt: number): Promise<ConsumerStatus> {
    switch (outcome.status) {
      case "succeeded":
        await this.#reply(message, outcome.body ?? outcome.document, outcome.links);
        return ConsumerStatus.ACK;
      case "failed":
        await this.#reply(message, { id: outcome.id, status: "failed", error: outcome.error });
        return ConsumerStatus.DROP;
      case "interrupted":
        return ConsumerStatus.REQUEUE;
      case "busy":
      case "retry":
        await this.#postpone(message, outcome.status === "busy" ? attempt : attempt + 1);
        return ConsumerStatus.ACK;
    }
  }

  /** To who asked for it. @param links in place of an answer that is too large. */
  async #reply(message: AsyncMessage, body: unknown, links?: unknown): Promise<void> {
    const { replyTo: routingKey, correlationId, messageId } = message;
    if (routingKey === undefined) return;
    const envelope = { routingKey, contentType: "application/json", correlationId: correlationId ?? messageId! };
    await this.#publisher.send(envelope, Buffer.from(JSON.stringify(this.#fitting({ body, links }))));
  }

  #fitting(answer: { body: unknown; links?: unknown }): unknown {
    try {
      return withinLimit(answer, this.#settings.AMQP_MAX_REPLY_MB * 1e6);
    } catch (error) {
      return { status: "failed", ...toErrorBody(toEndpointError(error)) };
    }
  }

  /** Into the waiting queue, from where the broker brings it back. */
  async #postpone(message: AsyncMessage, attempt: number): Promise<void> {
    const { AMQP_QUEUE: queue } = this.#settings;
    const seconds = PAUSES_SECONDS[Math.min(attempt, PAUSES_SECONDS.length + 1) - 2] ?? PAUSES_SECONDS[0]!;
    const waiting = `${queue}.retry-${seconds}s`;
    const back = { "x-dead-letter-exchange": "", "x-dead-letter-routing-key": queue, "x-message-ttl": seconds * 1000 };
    await this.#connection.queueDeclare({ queue: waiting, durable: true, arguments: back });
    const { body, headers, userId: _, ...properties } = message;
    const kept = Object.entries(headers ?? {}).filter(([name]) => !BROKERS_HEADERS.includes(name));
    const counted = { ...Object.fromEntries(kept), [ATTEMPT_HEADER]: attempt };
    const envelope = { ...properties, durable: true, headers: counted, routingKey: waiting, exchange: "" };
    await this.#publisher.send(envelope, body);
  }
}

/** Our own count; a quorum queue's; or at least that it came before. */
function attemptOf({ headers, redelivered }: AsyncMessage): number {
  const counted = Number(headers?.[ATTEMPT_HEADER] ?? 1);
  return counted + Number(headers?.["x-delivery-count"] ?? (redelivered ? 1 : 0));
}

/** What the sender calls it; without that, no two deliveries are known to be the same. Correlation ids are unique to one sender only. */
function idOf({ messageId = randomUUID() }: AsyncMessage): string {
  if (/^(?!\.{1,2}$)[\w.-]{1,200}$/.test(messageId)) return messageId;
  return createHash("sha256").update(messageId).digest("hex");
}

/**
 * The client parses what is declared as JSON, and rounds long integers, which seeds may be.
 * @throws EndpointError `invalid_request` for those, `invalid_json` for what is nested too deep.
 */
function textOf({ body }: AsyncMessage): string {
  if (typeof body === "string") return body;
  if (Buffer.isBuffer(body)) return body.toString();
  try {
    return JSON.stringify(body, refuseRounded);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new EndpointError("invalid_json", "the message is nested too deep", { cause: error });
  }
}

function refuseRounded(name: string, value: unknown): unknown {
  if (!Number.isInteger(value) || Number.isSafeInteger(value)) return value;
  const message = `${name} is an integer above 2^53, which is not read exactly from a message of the type application/json; send it as text/plain`;
  throw new EndpointError("invalid_request", message, { details: { field: name } });
}

async function refusePointer(): Promise<string> {
  throw new EndpointError("unsupported_feature", "payloads in S3 are for messages of AWS's queues");
}
