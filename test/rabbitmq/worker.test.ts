/** The worker of a queue on a real RabbitMQ. */
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from "vitest";
import { SETTINGS } from "../../handler/adapters/amqp.ts";
import { settingsTable } from "../../handler/config.ts";
import { connectSender, type Sender } from "../support/amqp-queue.ts";
import { startAws } from "../support/aws.ts";
import { type RunningEndpoint, startEndpoint } from "../support/endpoint.ts";
import { colourGraph, longTextGraph, slowTxt2Img } from "../support/payloads.ts";
import { ROOT } from "../support/source-files.ts";
import { startProxy } from "../support/tcp-proxy.ts";
import { type Broker, startBroker } from "./broker.ts";

const root = inject("rabbitmq");

const quick = (color = 1) => ({ prompt: colourGraph(color) });
const UNKNOWN_NODE = { prompt: { "1": { class_type: "NoSuchNode", inputs: {} } } };
const SUCCESS = { status: "succeeded" };
const PICTURE = { images: [expect.any(String)] };
const seconds = (number: number) => new Promise((resolve) => setTimeout(resolve, number * 1000));
const queued = ({ log }: RunningEndpoint) => log.filter(({ message }) => message === "prompt queued").length;
const running = (worker: RunningEndpoint) => worker.logged(({ message }) => message === "prompt queued");
const taking = (worker: RunningEndpoint) => worker.logged(({ message }) => message === "taking messages");

let broker: Broker;
const sender = (options?: Parameters<typeof connectSender>[2]) => connectSender(broker.url, onTestFinished, options);

describe("a worker of a queue of RabbitMQ", () => {
  const ends: (() => Promise<void>)[] = [];
  beforeAll(async () => {
    broker = await startBroker(root, (end) => ends.unshift(end));
  });
  afterAll(async () => {
    for (const end of ends) await end();
  });

  describe("answers", () => {
    let jobs: Sender;
    beforeAll(async () => {
      jobs = await connectSender(broker.url, (end) => ends.unshift(end));
      await startEndpoint({ ...jobs.settings, AMQP_MAX_REPLY_MB: "0.1" }, (end) => ends.unshift(end));
    });

    test("to the queue that a message names, with its correlation id", async () => {
      await jobs.send(quick(), { correlationId: "c-1", messageId: "m-1" });
      const { body, correlationId, contentType } = await jobs.answer();
      expect({ correlationId, contentType }).toEqual({ correlationId: "c-1", contentType: "application/json" });
      expect(body).toMatchObject({ ...SUCCESS, id: "m-1", outputs: [{ data: expect.any(String) }] });
      await jobs.has(0);
    });

    test("nobody where no queue is named: the message is done", async () => {
      await jobs.sendOnly(quick());
      await jobs.send(quick(), { correlationId: "next" });
      expect(await jobs.answer()).toMatchObject({ correlationId: "next", body: SUCCESS });
      expect([await jobs.count(), await jobs.count(".answers"), await jobs.count(".dead")]).toEqual([0, 0, 0]);
    });

    test("a fault of the sender's with the error, and the message is a dead letter", async () => {
      await jobs.send(UNKNOWN_NODE, { correlationId: "c-2", messageId: "m-2" });
      expect(await jobs.answer()).toMatchObject({
        correlationId: "c-2",
        body: { id: "m-2", status: "failed", error: { code: "invalid_workflow", retryable: false } },
      });
      const { headers, messageId } = await jobs.dead();
      expect(messageId).toBe("m-2");
      expect(headers?.["x-death"]).toMatchObject([{ reason: "rejected", queue: jobs.queue, count: 1 }]);
    });

    test.each([
      ["application/json", quick()],
      ["text/plain", JSON.stringify(quick())],
      ["application/octet-stream", Buffer.from(JSON.stringify(quick()))],
    ])("a body of the type %s", async (contentType, body) => {
      await jobs.send(body, { contentType });
      expect(await jobs.answer()).toMatchObject({ body: SUCCESS });
    });

    test.each([["text/plain"], ["application/json"], ["application/octet-stream"]])(
      "what is not JSON, declared as %s, with `invalid_json`",
      async (contentType) => {
        await jobs.send(Buffer.from("{no"), { contentType });
        expect(await jobs.answer()).toMatchObject({ body: { error: { code: "invalid_json" } } });
        await jobs.dead();
      },
    );

    test("what is nested too deep with `invalid_json`", async () => {
      const text = `${"[".repeat(20_000)}${"]".repeat(20_000)}`;
      await jobs.send(Buffer.from(text), { contentType: "application/json" });
      expect(await jobs.answer()).toMatchObject({ body: { error: { code: "invalid_json" } } });
      await jobs.dead();
    });

    const SEED = "18446744073709551615";
    const graph = (seed: string) =>
      JSON.stringify({
        prompt: { ...longTextGraph(1), "1": { class_type: "PrimitiveInt", inputs: { value: 0 } } },
      }).replace('"value":0', `"value":${seed}`);
    test("an integer above 2^53 by name when the message is declared as JSON, and the same as text with its digits", async () => {
      await jobs.send(Buffer.from(JSON.stringify({ prompt: "a cat", steps: 1 }).replace("}", `,"seed":${SEED}}`)), {
        contentType: "application/json",
      });
      const { body } = await jobs.answer();
      expect(body).toMatchObject({ status: "failed", error: { code: "invalid_request" } });
      expect(body.error!.message).toMatch(/^seed .*text\/plain/);
      await jobs.dead();
      await jobs.send(graph("9007199254740993"), { contentType: "text/plain" });
      expect(JSON.stringify((await jobs.answer()).body)).toContain("9007199254740993");
    });

    test("an answer that is too large with `output_too_large`", async () => {
      await jobs.send({ prompt: longTextGraph(200_000) }, { correlationId: "c-3" });
      expect(await jobs.answer()).toMatchObject({
        correlationId: "c-3",
        body: { status: "failed", error: { code: "output_too_large", message: expect.stringContaining("S3_BUCKET") } },
      });
      await jobs.has(0);
    });
  });

  test("its page: the settings are the code's, and the message, the answer and the dead letters are as it shows", async () => {
    const page = readFileSync(join(ROOT, "docs/platforms/rabbitmq.md"), "utf8");
    expect(page).toContain(settingsTable(SETTINGS));
    const shown = [...page.matchAll(/^export (\w+)=/gm)].map(([, name]) => name);
    const blocks = [...page.matchAll(/^```json\n([\s\S]*?)^```$/gm)].map(([, block]) => JSON.parse(block!));
    const [queueArguments, message, failure] = blocks as [Record<string, string>, object, { error: object }];
    const jobs = await sender({
      queueArguments: { "x-dead-letter-exchange": queueArguments["x-dead-letter-exchange"] },
    });
    expect(shown).toEqual(Object.keys(jobs.settings).filter((name) => name.startsWith("AMQP_")));
    expect(queueArguments["x-dead-letter-routing-key"]).toBe("jobs.dead");
    await startEndpoint(jobs.settings);
    await jobs.send(message);
    expect(await jobs.answer()).toMatchObject({ body: SUCCESS });
    await jobs.send(UNKNOWN_NODE, { messageId: "order-8" });
    const { body } = await jobs.answer();
    expect([body, body.error].map((part) => Object.keys(part!))).toEqual([failure, failure.error].map(Object.keys));
  });

  test("an answer goes straight to who waits for it on their own connection, and a quorum queue counts deliveries", async () => {
    const jobs = await sender({ queueArguments: { "x-queue-type": "quorum" } });
    const worker = await startEndpoint(jobs.settings);
    expect(await jobs.ask(quick())).toMatchObject(SUCCESS);
    await jobs.send(slowTxt2Img());
    while (queued(worker) < 2) await seconds(0.05);
    worker.process.kill("SIGKILL");
    const second = await startEndpoint(jobs.settings);
    expect(await jobs.answer()).toMatchObject({ body: PICTURE });
    expect(await second.logged(({ message }) => message === "invocation received")).toMatchObject({ attempt: 2 });
  });

  test("a message whose ComfyUI is killed waits beside the queue, comes back, and succeeds", async () => {
    const jobs = await sender();
    const worker = await startEndpoint(jobs.settings);
    await jobs.send(slowTxt2Img(), { correlationId: "c", headers: { traceparent: "00-1-2-01" } });
    await running(worker);
    process.kill(worker.enginePid(), "SIGKILL");
    await jobs.has(1, ".retry-5s");
    expect(await jobs.answer()).toMatchObject({ correlationId: "c", body: PICTURE });
    expect([await jobs.count(), await jobs.count(".answers"), await jobs.count(".dead")]).toEqual([0, 0, 0]);
    const runs = worker.log.filter(({ message }) => message === "prompt queued");
    expect(runs).toEqual(Array(2).fill(expect.objectContaining({ traceparent: "00-1-2-01" })));
  });

  test("a message that never succeeds is given up after AMQP_MAX_ATTEMPTS", async () => {
    const jobs = await sender();
    const worker = await startEndpoint({ ...jobs.settings, AMQP_MAX_ATTEMPTS: "2" });
    await jobs.send(slowTxt2Img());
    for (const attempt of [1, 2]) {
      while (queued(worker) < attempt) await seconds(0.05);
      process.kill(worker.enginePid(), "SIGKILL");
      if (attempt === 1) await jobs.has(1, ".retry-5s");
    }
    expect(await jobs.answer()).toMatchObject({ body: { status: "failed", error: { code: "comfyui_exited" } } });
    expect((await jobs.dead()).headers).toMatchObject({ "x-comfy-endpoint-attempt": 2 });
    expect(queued(worker)).toBe(2);
  });

  test("F13 SIGTERM with enough grace: the message is finished and answered, and no other is taken", async () => {
    const jobs = await sender();
    const worker = await startEndpoint({ ...jobs.settings, SHUTDOWN_GRACE_SECONDS: "20" });
    await jobs.send(slowTxt2Img());
    await running(worker);
    await jobs.send(quick());
    worker.process.kill("SIGTERM");
    expect(await worker.exited).toBe(0);
    expect(await jobs.answer()).toMatchObject({ body: PICTURE });
    await jobs.has(1);
  });

  test("F13 SIGTERM without enough grace: the message is another worker's at once", async () => {
    const jobs = await sender();
    const worker = await startEndpoint(jobs.settings);
    await jobs.send(slowTxt2Img({ steps: 800 }));
    await running(worker);
    const second = await startEndpoint(jobs.settings);
    const startedAt = performance.now();
    worker.process.kill("SIGTERM");
    expect(await worker.exited).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(4_000);
    await running(second);
    expect(await jobs.answer()).toMatchObject({ body: PICTURE });
    expect(await jobs.count(".answers")).toBe(0);
  });

  test("a killed worker's message is another's", async () => {
    const jobs = await sender();
    const worker = await startEndpoint(jobs.settings);
    await jobs.send(slowTxt2Img());
    await running(worker);
    worker.process.kill("SIGKILL");
    const second = await startEndpoint(jobs.settings);
    expect(await jobs.answer()).toMatchObject({ body: PICTURE });
    expect(queued(second)).toBe(1);
  });

  test("a connection that is cut in mid-prompt ends the prompt; the message comes again and is answered once", async () => {
    const jobs = await sender();
    const proxy = await startProxy(broker.url.replace("amqp:", "http:"), "AMQP");
    const address = broker.url.replace(/127.*/, new URL(proxy.url).host);
    const worker = await startEndpoint({ ...jobs.settings, AMQP_URL: address });
    await jobs.send(slowTxt2Img());
    await running(worker);
    proxy.cut();
    while (queued(worker) < 2) await seconds(0.05);
    expect(worker.log.some(({ message }) => message.startsWith("no connection to the broker"))).toBe(true);
    expect(await jobs.answer()).toMatchObject({ body: PICTURE });
    await seconds(1);
    expect([await jobs.count(), await jobs.count(".answers"), await jobs.count(".dead")]).toEqual([0, 0, 0]);
    expect(worker.process.exitCode).toBe(null);
  });

  test("a worker takes one message for each ComfyUI: the next goes to another worker", async () => {
    const jobs = await sender();
    const workers = [await startEndpoint(jobs.settings), await startEndpoint(jobs.settings)];
    await Promise.all(workers.map(taking));
    for (const _ of [1, 2, 3]) await jobs.send(slowTxt2Img());
    await Promise.all(workers.map(running));
    expect(await jobs.count()).toBe(1);
    for (const _ of [1, 2, 3]) expect(await jobs.answer()).toMatchObject({ body: PICTURE });
    expect(workers.reduce((sum, worker) => sum + queued(worker), 0)).toBe(3);
  });

  test("a message id that has its result is answered from it; a correlation id is none", async () => {
    const jobs = await sender();
    const { settings: bucket, read } = await startAws();
    const { SQS_QUEUE_URL: _, ...store } = bucket;
    const worker = await startEndpoint({ ...store, ...jobs.settings });
    for (const correlationId of ["first", "second"]) await jobs.send(quick(), { messageId: "order-7", correlationId });
    for (const correlationId of ["first", "second"])
      expect(await jobs.answer()).toMatchObject({
        correlationId,
        body: { id: "order-7", status: "succeeded", outputs: [{ node_id: "2" }] },
      });
    expect(queued(worker)).toBe(1);
    expect(await read("results/order-7.json")).toMatchObject(SUCCESS);
    // Two senders may count their correlation ids from the same start.
    for (const color of [2, 3]) await jobs.send(quick(color), { correlationId: "1" });
    for (const _ of [2, 3]) expect(await jobs.answer()).toMatchObject({ correlationId: "1", body: SUCCESS });
    expect(queued(worker)).toBe(3);
  });

  test("a queue that is not there is waited for, and named in the log", async () => {
    const jobs = await sender({ isDeclared: false });
    const worker = await startEndpoint(jobs.settings);
    const { level, err } = await worker.logged(({ message }) => message.startsWith("no messages come from"));
    expect({ level, text: JSON.stringify(err) }).toEqual({ level: "warn", text: expect.stringContaining(jobs.queue) });
    await jobs.declare();
    await jobs.send(quick());
    expect(await jobs.answer()).toMatchObject({ body: SUCCESS });
  });

  test("a broker that is away, at the start and later, is waited for", async () => {
    const own = await startBroker(root, onTestFinished);
    const jobs = await connectSender(own.url, onTestFinished);
    await jobs.send(quick());
    await own.stop();
    const worker = await startEndpoint(jobs.settings);
    await worker.logged(({ message }) => message.startsWith("no connection to the broker"));
    await own.start();
    expect(await jobs.answer()).toMatchObject({ body: SUCCESS });
    await own.stop();
    await seconds(1);
    await own.start();
    await jobs.send(quick());
    expect(await jobs.answer()).toMatchObject({ body: SUCCESS });
    expect(JSON.stringify(worker.log)).not.toContain("guest:guest");
    await own.stop();
    worker.process.kill("SIGTERM");
    expect(await worker.exited).toBe(0);
  });

  test("a worker needs no more permissions than its page names", async () => {
    const folder = await mkdtemp(join(tmpdir(), "permissions-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const all = { configure: ".*", read: ".*", write: ".*" };
    const few = { configure: "^jobs-.*\\.retry-.*$", read: "^jobs-[^.]*(\\.retry-.*)?$", write: "^amq\\.default$" };
    const definitions = {
      vhosts: [{ name: "/" }],
      users: ["guest", "worker"].map((name) => ({ name, password: name, tags: "" })),
      permissions: [
        { user: "guest", vhost: "/", ...all },
        { user: "worker", vhost: "/", ...few },
      ],
    };
    await writeFile(join(folder, "definitions.json"), JSON.stringify(definitions));
    const own = await startBroker(root, onTestFinished, [`load_definitions = ${join(folder, "definitions.json")}`]);
    const jobs = await connectSender(own.url, onTestFinished);
    const worker = await startEndpoint({ ...jobs.settings, AMQP_URL: own.url.replace("guest:guest", "worker:worker") });
    await jobs.send(slowTxt2Img({ steps: 100 }));
    await running(worker);
    process.kill(worker.enginePid(), "SIGKILL");
    expect(await jobs.answer()).toMatchObject({ body: PICTURE });
    await jobs.send(UNKNOWN_NODE);
    await jobs.dead();
  });

  test("a message that the broker takes back after its consumer_timeout is interrupted, and comes again", async () => {
    const own = await startBroker(root, onTestFinished, ["consumer_timeout = 2000"], 500);
    const jobs = await connectSender(own.url, onTestFinished);
    const worker = await startEndpoint(jobs.settings);
    await jobs.send(slowTxt2Img({ steps: 5_000 }));
    while (queued(worker) < 2) await seconds(0.1);
    expect(worker.log.some(({ err }) => JSON.stringify(err)?.includes("timeout"))).toBe(true);
    expect(await jobs.count(".answers")).toBe(0);
  });
});
