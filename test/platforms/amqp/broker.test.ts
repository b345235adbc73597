/** A worker and a real RabbitMQ that goes away, allows little, or takes its messages back. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { connectSender } from "../../support/amqp-queue.ts";
import {
  ownBroker,
  PICTURE,
  queued,
  quick,
  running,
  SUCCESS,
  seconds,
  UNKNOWN_NODE,
} from "../../support/amqp-worker.ts";
import { startEndpoint } from "../../support/endpoint.ts";
import { slowTxt2Img } from "../../support/payloads.ts";

describe("a worker of a queue of RabbitMQ", () => {
  test("a broker that is away, at the start and later, is waited for", async () => {
    const own = await ownBroker();
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
    const own = await ownBroker([`load_definitions = ${join(folder, "definitions.json")}`]);
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
    const own = await ownBroker(["consumer_timeout = 2000"], 500);
    const jobs = await connectSender(own.url, onTestFinished);
    const worker = await startEndpoint(jobs.settings);
    await jobs.send(slowTxt2Img({ steps: 5_000 }));
    while (queued(worker) < 2) await seconds(0.1);
    expect(worker.log.some(({ err }) => JSON.stringify(err)?.includes("timeout"))).toBe(true);
    expect(await jobs.count(".answers")).toBe(0);
  });
});
