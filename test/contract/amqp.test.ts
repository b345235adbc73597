/** A queue of RabbitMQ, on a real broker. */
import { type Answer, connectSender } from "../support/amqp-queue.ts";
import { sharedBroker } from "../support/amqp-worker.ts";
import { startWorker } from "../support/endpoint.ts";
import { adapterContract } from "./adapter-contract.ts";
import { type Outcome, outputsOf } from "./driver.ts";

const NOTHING_KEPT = "results are kept in a bucket, and here is none; with one: test/platforms/amqp/";

const broker = sharedBroker();

adapterContract({
  name: "amqp",
  early: "left",
  retryable: "brought again",
  interrupted: "left",
  traceField: "traceparent",
  lacks: {
    "time limit": "a message's own time is what it may wait, not what it may take",
    cancel: "a message cannot be called back",
    "one run for two at once": NOTHING_KEPT,
    "one run for two in turn": NOTHING_KEPT,
    progress: "a queue tells nobody how a message is getting on",
  },
  mistake: { AMQP_MAX_ATTEMPTS: "many" },
  start: async (settings, atEnd) => {
    const jobs = await connectSender(broker.url(), atEnd);
    const worker = startWorker({ ...jobs.settings, AMQP_MAX_REPLY_MB: "8", ...settings }, atEnd);
    const waiting = new Map<string, (answer: Answer) => void>();
    const listen = async () => {
      for (;;) {
        const answer = await jobs.answer();
        waiting.get(answer.correlationId!)!(answer);
      }
    };
    // Until the sender leaves.
    listen().catch(() => {});
    return {
      worker,
      invoke: async (payload, { id, trace }) => {
        const correlationId = `answer-${waiting.size}`;
        const answer = new Promise<Answer>((resolve) => waiting.set(correlationId, resolve));
        const headers = trace !== undefined && { headers: { traceparent: trace } };
        // A text, as of who does not say what it is: RabbitMQ's client would round long numbers.
        await jobs.send(JSON.stringify(payload), { messageId: id, correlationId, ...headers });
        return read((await answer).body);
      },
    };
  },
});

async function read(body: Answer["body"]): Promise<Outcome> {
  if (body.error) return { status: "failed", ...body.error };
  return { status: "succeeded", id: body.id, outputs: await outputsOf(body) };
}
