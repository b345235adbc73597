/** SQS and S3 for tests: fauxqs, and before it a proxy that keeps S3's conditional puts and has the faults of networks. */
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { type FauxqsServer, startFauxqs } from "fauxqs";
import { onTestFinished } from "vitest";

export const BUCKET = "pictures";

export interface AwsCall {
  /** SQS's action, or S3's method. */
  action: string;
  /** S3's path without the query. */
  path: string;
  body: string;
  /** Milliseconds since the start. */
  at: number;
  /** Of the answer, once it was given. */
  status?: number;
}

/** A status to answer with instead, an error of SQS's own, a word for what happens to the connection, or nothing. */
export type Fault = (call: AwsCall) => number | { code: string } | "reset" | "hang" | undefined;

export interface Aws {
  fauxqs: FauxqsServer;
  /** Every call so far. */
  calls: AwsCall[];
  /** Settings of a worker of the queue `jobs`. */
  settings: Record<string, string>;
  setFault(fault: Fault | undefined): void;
  /** The JSON object with this key in the bucket; undefined when there is none. */
  read(key: string): Promise<unknown>;
  /** @param bucket another one than the results'. */
  write(key: string, content: unknown, bucket?: string): Promise<void>;
  /** Keys in the bucket that begin so. */
  keys(prefix: string): Promise<string[]>;
  /** Messages of a queue by what they are. */
  count(queue: string): { ready: number; inflight: number; delayed: number };
  /** Resolves when nothing is left in a queue. */
  empty(queue: string): Promise<void>;
}

interface Queues {
  /** Attributes of the queue `jobs`. */
  attributes?: Record<string, string>;
  /** With a dead-letter queue `dead` after so many receives. */
  maxReceiveCount?: number;
}

/** @param atEnd registers what ends it; with the test, unless a script has an end of its own. */
export async function startAws(
  { attributes = {}, maxReceiveCount }: Queues = {},
  atEnd: (stop: () => Promise<void>) => void = onTestFinished,
): Promise<Aws> {
  const fauxqs = await startFauxqs({ port: 0, logger: false });
  fauxqs.createBucket(BUCKET);
  const isFifo = attributes["FifoQueue"] === "true";
  const name = (plain: string) => (isFifo ? `${plain}.fifo` : plain);
  const dead = fauxqs.createQueue(name("dead"), { attributes: isFifo ? { FifoQueue: "true" } : {} });
  const redrive = JSON.stringify({ deadLetterTargetArn: dead.queueArn, maxReceiveCount });
  const jobs = fauxqs.createQueue(name("jobs"), {
    attributes: { ...attributes, ...(maxReceiveCount !== undefined && { RedrivePolicy: redrive }) },
  });

  const calls: AwsCall[] = [];
  let fault: Fault | undefined;
  const startedAt = performance.now();
  const writes = new Map<string, Promise<unknown>>();

  async function answer(from: IncomingMessage, to: ServerResponse): Promise<void> {
    const body = await buffer(from);
    const target = from.headers["x-amz-target"];
    const path = from.url!.split("?")[0]!;
    const action = typeof target === "string" ? target.split(".")[1]! : from.method!;
    const call: AwsCall = { action, path, body: target ? body.toString() : "", at: performance.now() - startedAt };
    calls.push(call);
    to.on("finish", () => {
      call.status = to.statusCode;
    });
    const wrong = fault?.(call);
    if (wrong === "reset") return void from.socket.destroy();
    if (wrong === "hang") return;
    if (typeof wrong === "object") return refuse(to, wrong.code);
    if (wrong !== undefined) return void to.writeHead(wrong).end();
    if (from.method !== "PUT" || from.headers["if-none-match"] !== "*") return forward(from, body, to);
    // fauxqs overwrites what is there.
    const put = (writes.get(path) ?? Promise.resolve()).then(async () => {
      const { status } = await fetch(`http://127.0.0.1:${fauxqs.port}${path}`, { method: "HEAD" });
      if (status === 404) return forward(from, body, to);
      to.writeHead(412, { "content-type": "application/xml" });
      to.end("<Error><Code>PreconditionFailed</Code><Message>there is one</Message></Error>");
    });
    writes.set(path, put);
    await put;
  }

  function forward(from: IncomingMessage, body: Buffer, to: ServerResponse): Promise<void> {
    const { method, url: path, headers } = from;
    return new Promise((resolve) => {
      const onward = request({ host: "127.0.0.1", port: fauxqs.port, method, path, headers }, (response) => {
        to.writeHead(response.statusCode!, response.headers);
        response.pipe(to);
        to.on("close", resolve);
      });
      onward.on("error", () => from.socket.destroy());
      to.on("close", () => {
        onward.destroy();
        resolve();
      });
      onward.end(body);
    });
  }

  const proxy = createServer((from, to) => void answer(from, to));
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  atEnd(async () => {
    await close(proxy);
    await fauxqs.stop();
  });
  const address = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const direct = `http://127.0.0.1:${fauxqs.port}/${BUCKET}`;

  const count = (queue: string) => {
    const { ready, inflight, delayed } = fauxqs.inspectQueue(queue)!.messages;
    return { ready: ready.length, inflight: inflight.length, delayed: delayed.length };
  };
  return {
    fauxqs,
    calls,
    settings: {
      AWS_ACCESS_KEY_ID: "test",
      AWS_SECRET_ACCESS_KEY: "test",
      AWS_ENDPOINT_URL: address,
      S3_BUCKET: BUCKET,
      SQS_QUEUE_URL: jobs.queueUrl,
    },
    setFault: (next) => {
      fault = next;
    },
    read: async (key) => {
      const response = await fetch(`${direct}/${encodeURIComponent(key).replaceAll("%2F", "/")}`);
      return response.ok ? response.json() : undefined;
    },
    write: async (key, content, bucket = BUCKET) => {
      const body = JSON.stringify(content);
      await fetch(`http://127.0.0.1:${fauxqs.port}/${bucket}/${encodeURIComponent(key).replaceAll("%2F", "/")}`, {
        method: "PUT",
        body,
      });
    },
    keys: async (prefix) => {
      const list = await (await fetch(`${direct}?list-type=2&max-keys=1000&prefix=${prefix}`)).text();
      return [...list.matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key]) => key!);
    },
    count,
    empty: async (queue) => {
      const isEmpty = () => Object.values(count(queue)).every((number) => number === 0);
      while (!isEmpty()) await new Promise((resolve) => setTimeout(resolve, 50));
    },
  };
}

function refuse(to: ServerResponse, code: string): void {
  to.writeHead(400, { "content-type": "application/x-amz-json-1.0", "x-amzn-query-error": `${code};Sender` });
  to.end(JSON.stringify({ __type: `com.amazonaws.sqs#${code}`, message: "as a test wants it" }));
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
