/** Jobs of a RunPod endpoint, from the poll that hands them out to their result; beside what RunPod's own library does. */
import { expect, test } from "vitest";
import { handsOut, KEY } from "../../support/job-server.ts";
import { colourGraph, quickTxt2Img } from "../../support/payloads.ts";
import { replay, sentOn } from "../../support/runpod-scenarios.ts";
import { quickJob, resultOf, resultsOf, slowJob, startWorker } from "../../support/runpod-worker.ts";

const errorOf = (body: Record<string, unknown>) => String(body["error"]);

replay(["job-ok", "idle-204"], "every request is the library's", async (recorded) => {
  const { server } = await startWorker({ take: [handsOut(quickJob("job-1"))] });
  const { body } = await resultOf(server);
  await server.calledTimes("ping", 2);
  await server.calledTimes("take", 3);
  for (const channel of ["take", "stop", "done", "ping"] as const) {
    const [theirs, ours] = [sentOn(recorded, channel)[0]!, server.on(channel)[0]!];
    expect(ours.target, channel).toBe(theirs.target);
    expect(ours.headers, channel).toMatchObject(theirs.headers!);
    expect(ours.headers.authorization, "the raw key").toBe(KEY);
  }
  expect(Object.keys(body)).toEqual(Object.keys(JSON.parse(sentOn(recorded, "done")[0]!.body!)));
  expect(body).toMatchObject({ output: { status: "succeeded", outputs: [{ type: "image", node_id: "2" }] } });
  expect(server.on("take")[1]!.headers["x-request-id"], "an artefact of the library").toBeUndefined();
  const [, second, third] = server.on("take");
  expect(third!.at - second!.at, "the server keeps a poll open for two seconds").toBeLessThan(2_900);
});

replay("job-extra-keys", "what rides along with a job does no harm, and its time limit holds", async () => {
  const extra = {
    webhook: "https://example.com/hook",
    s3Config: { accessId: "a", accessSecret: "b", bucketName: "c", endpointUrl: "https://example.com" },
    batchId: "batch-7",
  };
  const late = { ...slowJob("job-2-u1", 600), policy: { executionTimeout: 1_000, ttl: 60_000 } };
  const { server, endpoint } = await startWorker({ take: [handsOut(quickJob("job-1-u1", extra)), handsOut(late)] });
  const [first, second] = await resultsOf(server, 2);
  expect(first).toMatchObject({ id: "job-1-u1", body: { output: { id: "job-1-u1" } } });
  expect(errorOf(second!.body)).toMatch(/^deadline_exceeded: /);
  expect((await endpoint.logged(({ message }) => message === "job taken"))["batchId"]).toBe("batch-7");
});

replay("job-while-busy", "none is taken while one runs, and pings list it until it is answered", async (recorded) => {
  const held = Promise.withResolvers<void>();
  const { server } = await startWorker({
    take: [handsOut(slowJob("job-1", 250))],
    done: async ({ body }) => (body.includes("IN_PROGRESS") ? {} : { when: held.promise }),
  });
  await resultOf(server);
  const pingsSoFar = server.on("ping").length;
  await server.calledTimes("ping", pingsSoFar + 2);
  expect(server.on("take"), "also while the result is not accepted yet").toHaveLength(1);
  const listing = sentOn(recorded, "ping").find(({ target }) => target.includes("job_id"))!.target;
  expect(server.on("ping").at(-1)!.target).toBe(listing);
  expect(server.on("ping").filter(({ target }) => target === listing).length).toBeGreaterThan(2);
  held.resolve();
  await server.calledTimes("take", 2);
  const listed = server.on("ping").length;
  await server.calledTimes("ping", listed + 2);
  expect(server.on("ping").at(-1)!.target).not.toContain("job_id");
});

replay(
  ["result-err", "result-raising"],
  "an error is a text, with what else is known as the output",
  async (recorded) => {
    const bad = { prompt: { "1": { class_type: "NoSuchNode", inputs: {} } } };
    const { server } = await startWorker({
      take: [handsOut({ id: "job-1", input: bad }), handsOut(quickJob("job-2"))],
    });
    const [failed, next] = await resultsOf(server, 2);
    expect(Object.keys(failed!.body)).toEqual(Object.keys(JSON.parse(sentOn(recorded, "done")[0]!.body!)));
    expect(errorOf(failed!.body)).toMatch(/^invalid_workflow: .*NoSuchNode/);
    expect(failed!.body).toMatchObject({ output: { code: "invalid_workflow", retryable: false, details: {} } });
    expect(next, "F3: the worker serves on").toMatchObject({ id: "job-2", body: { output: { status: "succeeded" } } });
  },
);

replay(
  "result-refresh-in-result",
  "a job may ask for a new worker; the library polls on, and so do we",
  async (recorded) => {
    const job = { id: "job-1", input: { prompt: colourGraph(1), refresh_worker: true } };
    const { server } = await startWorker({ take: [handsOut(job)] });
    const { body } = await resultOf(server);
    expect(body).toMatchObject({ stopPod: true });
    expect(Object.keys(body)).toEqual(Object.keys(JSON.parse(sentOn(recorded, "done")[0]!.body!)));
    await server.calledTimes("take", 2);
  },
);

replay("refresh-worker-config", "REFRESH_WORKER: one job, then the worker is done", async (recorded) => {
  const script = { take: [handsOut(quickJob("job-1")), handsOut(quickJob("job-2"))] };
  const { server, endpoint } = await startWorker(script, { REFRESH_WORKER: "true" });
  expect(await endpoint.exited).toBe(recorded.exit);
  expect(server.results()).toMatchObject([{ id: "job-1", body: { stopPod: true } }]);
  expect(server.on("take")).toHaveLength(1);
});

replay(
  ["progress", "progress-race"],
  "F18: at most one a second, each before the result, which is the last",
  async (recorded) => {
    // The server is slow to take it in, which must not let the result overtake.
    const slowly = { json: {}, afterMs: 700 };
    const { server } = await startWorker({ take: [handsOut(slowJob("job-1", 330))], done: [slowly, slowly, slowly] });
    await resultsOf(server, 1);
    await server.calledTimes("take", 2);
    const posts = server.on("done").map((call) => ({ ...call, body: JSON.parse(call.body) }));
    const theirs = sentOn(recorded, "done").map(({ target, body }) => ({ target, body: JSON.parse(body!) }));
    const updates = posts.slice(0, -1);
    expect(updates.length).toBeGreaterThanOrEqual(2);
    for (const { target, body } of updates) {
      expect(target).toBe(theirs[0]!.target);
      expect(body).toEqual({
        status: "IN_PROGRESS",
        output: { node: expect.any(String), step: expect.any(Number), steps: 330 },
      });
    }
    // Each is sent a second after the last; on its way it may be held up.
    const tookMs = updates.at(-1)!.at - updates[0]!.at;
    expect(tookMs / (updates.length - 1)).toBeGreaterThan(850);
    expect(posts.at(-1)!.body["output"]).toMatchObject({ images: [expect.any(String)] });
  },
);

replay(
  ["batch-bad-items", "job-no-id"],
  "F10: what cannot be a job is dropped or answered, and the next one runs",
  async () => {
    const list = { json: [quickJob("j1"), { input: {} }, { id: "j3" }, null, "text", 7] };
    const single = [
      { json: { input: { a: 1 } } },
      handsOut({ id: "j-null", input: null }),
      handsOut({ id: "j-str", input: "text" }),
    ];
    const { server, endpoint } = await startWorker({ take: [list, ...single, handsOut(quickJob("j9"))] });
    const results = await resultsOf(server, 5);
    const byId = Object.fromEntries(results.map(({ id, body }) => [id, body]));
    expect(Object.keys(byId).sort()).toEqual(["j-null", "j-str", "j1", "j3", "j9"]);
    for (const id of ["j3", "j-null", "j-str"]) expect(errorOf(byId[id]!), id).toMatch(/input/i);
    for (const id of ["j1", "j9"]) expect(byId[id], id).toMatchObject({ output: { status: "succeeded" } });
    expect(endpoint.process.exitCode).toBeNull();
  },
);

replay(
  ["duplicate-job", "batch-too-many"],
  "jobs beyond what was asked for wait their turn, and one handed out twice runs once",
  async () => {
    const jobs = [slowJob("j0", 200), slowJob("j0", 200), slowJob("j1", 60), slowJob("j2", 10)];
    const { server, endpoint } = await startWorker({ take: [{ json: jobs }, handsOut(quickJob("last"))] });
    await server.called("ping", ({ target }) => target.includes("job_id=j0%2Cj1%2Cj2"));
    const results = await resultsOf(server, 4);
    expect(results.map(({ id }) => id)).toEqual(["j0", "j1", "j2", "last"]);
    expect(server.on("take")[1]!.at).toBeGreaterThan(results[2]!.call.at);
    expect(endpoint.log.filter(({ message }) => message === "invocation received")).toHaveLength(4);
  },
);

replay(
  ["stop-running", "job-sync-blocks", "stop-generator"],
  "F11: the running job ends unanswered, odd answers and other ids do nothing, the next job is untouched",
  async (recorded) => {
    const stopNow = Promise.withResolvers<void>();
    const stop = [
      { json: { jobsToStop: ["job-1"] }, when: stopNow.promise },
      ...[{ jobsToStop: ["unknown"] }, { jobsToStop: "x" }, ["y"]].map((json) => ({ json })),
      { text: "hi", type: "text/plain" },
      { status: 500 },
      { json: { jobsToStop: [1, "job-1"] } },
    ];
    const { server, endpoint } = await startWorker({
      take: [handsOut(slowJob("job-1", 3_000)), handsOut(slowJob("job-2", 500))],
      stop,
    });
    await server.called("done", ({ body }) => body.includes("IN_PROGRESS"));
    stopNow.resolve();
    const { id, body } = await resultOf(server);
    expect(id).toBe("job-2");
    expect(body["error"]).toBeUndefined();
    expect(server.results()).toHaveLength(1);
    expect(server.on("stop")[0]!.target).toBe(sentOn(recorded, "stop")[0]!.target);
    expect(server.on("stop").length).toBeGreaterThan(4);
    await endpoint.logged(({ message }) => message.startsWith("invocation failed"));
  },
);

test("F11: a job that is stopped while it waits for another is neither run nor answered", async () => {
  const stopNow = Promise.withResolvers<void>();
  const { server, endpoint } = await startWorker({
    take: [{ json: [slowJob("job-1", 150), slowJob("job-2", 10)] }, handsOut(quickJob("job-3"))],
    stop: [{ json: { jobsToStop: ["job-2"] }, when: stopNow.promise }],
  });
  await endpoint.logged(({ message }) => message === "prompt queued");
  stopNow.resolve();
  const results = await resultsOf(server, 2);
  expect(results.map(({ id }) => id)).toEqual(["job-1", "job-3"]);
  expect(endpoint.log.filter(({ message }) => message === "prompt queued")).toHaveLength(2);
});

replay(
  "stop-other-url",
  "no stop channel where the address has none; nor do polls that fail follow each other at once",
  async (recorded) => {
    const { server } = await startWorker();
    const address = server.environment["RUNPOD_WEBHOOK_GET_JOB"]!.replace(
      "/job-take/$ID?gpu=NVIDIA+H100+80GB+HBM3",
      "/take/$ID?x=1",
    );
    const { server: other } = await startWorker({}, { RUNPOD_WEBHOOK_GET_JOB: address });
    await server.calledTimes("other", 3);
    const [first, second] = server.on("other");
    expect(first!.target).toBe(sentOn(recorded, "other")[0]!.target);
    expect(second!.at - first!.at).toBeGreaterThan(700);
    expect(other.on("stop")).toEqual([]);
  },
);

test("F21: no job is taken before the engine serves", async () => {
  const { server, endpoint } = await startWorker(
    { take: [handsOut(quickJob("job-1"))] },
    { COMFYUI_ARGS: "--fault boot-delay=1500" },
  );
  await server.called("take");
  expect(endpoint.log.some(({ message }) => message === "engine ready")).toBe(true);
  expect(server.calls[0]!.channel, "meanwhile RunPod is told that the worker lives").toBe("ping");
});

test("a job is taken whatever type its answer says it has", async () => {
  const text = JSON.stringify(quickJob("job-1"));
  const { server } = await startWorker({ take: [{ text, type: "text/plain" }] });
  expect(await resultOf(server)).toMatchObject({ id: "job-1", body: { output: { status: "succeeded" } } });
});

test("the key is in no line of the log", async () => {
  const { server, endpoint } = await startWorker({
    take: [{ status: 500 }, { status: 0 }, handsOut({ id: "job-1", input: quickTxt2Img() })],
    done: [{ status: 0 }],
  });
  await resultsOf(server, 2);
  expect(JSON.stringify(endpoint.log)).not.toContain(KEY);
});
