/** What the tests of RabbitMQ's worker share: a real broker, and how far a worker is. The engine is the emulator, whichever is under test. */
import { beforeAll, expect, onTestFinished } from "vitest";
import { type Broker, startBroker } from "../engine/rabbitmq.ts";
import { connectSender, type Sender } from "./amqp-queue.ts";
import type { RunningEndpoint } from "./endpoint.ts";
import { colourGraph } from "./payloads.ts";

/** As ./unpacked-rabbitmq.ts found it. */
const { RABBITMQ_ROOT, RABBITMQ_MISSING } = process.env;

/** @throws Error where there is no RabbitMQ: its worker is not left untested in silence. */
function rabbitMqRoot(): string {
  if (RABBITMQ_ROOT !== undefined) return RABBITMQ_ROOT;
  throw new Error(`there is no RabbitMQ, whose packages come by Debian's apt-get: ${RABBITMQ_MISSING}`);
}

type AtEnd = (stop: () => Promise<void>) => void;

/** As `startBroker`, of the RabbitMQ that there is. */
export const startOwnBroker = async (
  atEnd: AtEnd,
  settings?: readonly string[],
  channelTickMs?: number,
): Promise<Broker> => startBroker(rabbitMqRoot(), atEnd, settings, channelTickMs);

/** Called in a block: one for all of its tests. */
export function sharedBroker() {
  let broker: Broker;
  beforeAll(async () => {
    const ends: (() => Promise<void>)[] = [];
    broker = await startOwnBroker((end) => ends.unshift(end));
    return async () => {
      for (const end of ends) await end();
    };
  });
  return {
    url: () => broker.url,
    /** Ends with the test. */
    sender: (options?: Parameters<typeof connectSender>[2]): Promise<Sender> =>
      connectSender(broker.url, onTestFinished, options),
  };
}

export const quick = (color = 1) => ({ prompt: colourGraph(color) });
export const UNKNOWN_NODE = { prompt: { "1": { class_type: "NoSuchNode", inputs: {} } } };
export const SUCCESS = { status: "succeeded" };
export const PICTURE = { images: [expect.any(String)] };
export const queued = ({ log }: RunningEndpoint) => log.filter(({ message }) => message === "prompt queued").length;
export const running = (worker: RunningEndpoint) => worker.logged(({ message }) => message === "prompt queued");
export const seconds = (number: number) => new Promise((resolve) => setTimeout(resolve, number * 1000));
