/** What a sender on a real RabbitMQ gets back. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { SETTINGS } from "../../../handler/adapters/amqp.ts";
import { settingsTable } from "../../../handler/config.ts";
import { connectSender, type Sender } from "../../support/amqp-queue.ts";
import { PICTURE, queued, quick, SUCCESS, seconds, sharedBroker, UNKNOWN_NODE } from "../../support/amqp-worker.ts";
import { startAws } from "../../support/aws.ts";
import { startEndpoint } from "../../support/endpoint.ts";
import { longTextGraph, slowTxt2Img } from "../../support/payloads.ts";
import { ROOT } from "../../support/source-files.ts";

describe("a worker of a queue of RabbitMQ", () => {
  const broker = sharedBroker();

  describe("answers", () => {
    let jobs: Sender;
    beforeAll(async () => {
      const ends: (() => Promise<void>)[] = [];
      jobs = await connectSender(broker.url(), (end) => ends.unshift(end));
      await startEndpoint({ ...jobs.settings, AMQP_MAX_REPLY_MB: "0.1" }, (end) => ends.unshift(end));
      return async () => {
        for (const end of ends) await end();
      };
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
    const jobs = await broker.sender({
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
    const jobs = await broker.sender({ queueArguments: { "x-queue-type": "quorum" } });
    const worker = await startEndpoint(jobs.settings);
    expect(await jobs.ask(quick())).toMatchObject(SUCCESS);
    await jobs.send(slowTxt2Img());
    while (queued(worker) < 2) await seconds(0.05);
    worker.process.kill("SIGKILL");
    const second = await startEndpoint(jobs.settings);
    expect(await jobs.answer()).toMatchObject({ body: PICTURE });
    expect(await second.logged(({ message }) => message === "invocation received")).toMatchObject({ attempt: 2 });
  });

  test("a message id that has its result is answered from it; a correlation id is none", async () => {
    const jobs = await broker.sender();
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
    const jobs = await broker.sender({ isDeclared: false });
    const worker = await startEndpoint(jobs.settings);
    const { level, err } = await worker.logged(({ message }) => message.startsWith("no messages come from"));
    expect({ level, text: JSON.stringify(err) }).toEqual({ level: "warn", text: expect.stringContaining(jobs.queue) });
    await jobs.declare();
    await jobs.send(quick());
    expect(await jobs.answer()).toMatchObject({ body: SUCCESS });
  });
});
