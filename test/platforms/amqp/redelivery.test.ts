/** Whose a message of a real RabbitMQ is when engine, worker or connection ends. */
import { describe, expect, test } from "vitest";
import { PICTURE, queued, quick, running, seconds, sharedBroker } from "../../support/amqp-worker.ts";
import { type RunningEndpoint, startEndpoint } from "../../support/endpoint.ts";
import { slowTxt2Img } from "../../support/payloads.ts";
import { startProxy } from "../../support/tcp-proxy.ts";

const taking = (worker: RunningEndpoint) => worker.logged(({ message }) => message === "taking messages");

describe("a message of a queue of RabbitMQ", () => {
  const broker = sharedBroker();

  test("a message whose ComfyUI is killed waits beside the queue, comes back, and succeeds", async () => {
    const jobs = await broker.sender();
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
    const jobs = await broker.sender();
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
    const jobs = await broker.sender();
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
    const jobs = await broker.sender();
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
    const jobs = await broker.sender();
    const worker = await startEndpoint(jobs.settings);
    await jobs.send(slowTxt2Img());
    await running(worker);
    worker.process.kill("SIGKILL");
    const second = await startEndpoint(jobs.settings);
    expect(await jobs.answer()).toMatchObject({ body: PICTURE });
    expect(queued(second)).toBe(1);
  });

  test("a connection that is cut in mid-prompt ends the prompt; the message comes again and is answered once", async () => {
    const jobs = await broker.sender();
    const proxy = await startProxy(broker.url().replace("amqp:", "http:"), "AMQP");
    const address = broker.url().replace(/127.*/, new URL(proxy.url).host);
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
    const jobs = await broker.sender();
    const workers = [await startEndpoint(jobs.settings), await startEndpoint(jobs.settings)];
    await Promise.all(workers.map(taking));
    for (const _ of [1, 2, 3]) await jobs.send(slowTxt2Img());
    await Promise.all(workers.map(running));
    expect(await jobs.count()).toBe(1);
    for (const _ of [1, 2, 3]) expect(await jobs.answer()).toMatchObject({ body: PICTURE });
    expect(workers.reduce((sum, worker) => sum + queued(worker), 0)).toBe(3);
  });
});
