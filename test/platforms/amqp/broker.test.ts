/** A worker and a real RabbitMQ that goes away, allows little, or takes its messages back. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { Broker } from "../../engine/rabbitmq.ts";
import { connectSender } from "../../support/amqp-queue.ts";
import {
  PICTURE,
  queued,
  quick,
  running,
  SUCCESS,
  seconds,
  startOwnBroker,
  UNKNOWN_NODE,
} from "../../support/amqp-worker.ts";
import { startEndpoint } from "../../support/endpoint.ts";
import { slowTxt2Img } from "../../support/payloads.ts";

const ALL = { configure: ".*", read: ".*", write: ".*" };
/** As the page on RabbitMQ names them. */
const FEW = { configure: "^jobs-.*\\.retry-.*$", read: "^jobs-[^.]*(\\.retry-.*)?$", write: "^amq\\.default$" };
const DEFINITIONS = {
  vhosts: [{ name: "/" }],
  users: ["guest", "worker"].map((name) => ({ name, password: name, tags: "" })),
  permissions: [
    { user: "guest", vhost: "/", ...ALL },
    { user: "worker", vhost: "/", ...FEW },
  ],
};

describe("a worker of a queue of RabbitMQ", () => {
  let broker: Broker;
  beforeAll(async () => {
    const ends: (() => Promise<void>)[] = [];
    const folder = await mkdtemp(join(tmpdir(), "permissions-"));
    ends.push(() => rm(folder, { recursive: true }));
    await writeFile(join(folder, "definitions.json"), JSON.stringify(DEFINITIONS));
    const settings = [`load_definitions = ${join(folder, "definitions.json")}`];
    broker = await startOwnBroker((end) => ends.unshift(end), settings);
    return async () => {
      for (const end of ends) await end();
    };
  });

  test("a worker needs no more permissions than its page names", async () => {
    const jobs = await connectSender(broker.url, onTestFinished);
    const address = broker.url.replace("guest:guest", "worker:worker");
    const worker = await startEndpoint({ ...jobs.settings, AMQP_URL: address });
    await jobs.send(slowTxt2Img({ steps: 100 }));
    await running(worker);
    process.kill(worker.enginePid(), "SIGKILL");
    expect(await jobs.answer()).toMatchObject({ body: PICTURE });
    await jobs.send(UNKNOWN_NODE);
    await jobs.dead();
  });

  test("a broker that is away, at the start and later, is waited for", async () => {
    const jobs = await connectSender(broker.url, onTestFinished);
    await jobs.send(quick());
    await broker.stop();
    const worker = await startEndpoint(jobs.settings);
    await worker.logged(({ message }) => message.startsWith("no connection to the broker"));
    await broker.start();
    expect(await jobs.answer()).toMatchObject({ body: SUCCESS });
    await broker.stop();
    await seconds(1);
    await broker.start();
    await jobs.send(quick());
    expect(await jobs.answer()).toMatchObject({ body: SUCCESS });
    expect(JSON.stringify(worker.log)).not.toContain("guest:guest");
    await broker.stop();
    worker.process.kill("SIGTERM");
    expect(await worker.exited).toBe(0);
  });

  test("a message that the broker takes back after its consumer_timeout is interrupted, and comes again", async () => {
    const own = await startOwnBroker(onTestFinished, ["consumer_timeout = 2000"], 500);
    const jobs = await connectSender(own.url, onTestFinished);
    const worker = await startEndpoint(jobs.settings);
    await jobs.send(slowTxt2Img({ steps: 5_000 }));
    while (queued(worker) < 2) await seconds(0.1);
    expect(worker.log.some(({ err }) => JSON.stringify(err)?.includes("timeout"))).toBe(true);
    expect(await jobs.count(".answers")).toBe(0);
  });
});
