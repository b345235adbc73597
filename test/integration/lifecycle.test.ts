import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { startEndpoint } from "../support/endpoint.ts";
import { type Asked, startEc2, startMetadata } from "../support/metadata-server.ts";
import { colourGraph, quickTxt2Img, slowTxt2Img } from "../support/payloads.ts";
import { eventually } from "../support/platform-calls.ts";

const protectionsOf = (asked: Asked[]) =>
  asked.map(({ method, path, body }) => [method, path, JSON.parse(body) as Record<string, unknown>]);
const PROTECTION = "/task-protection/v1/state";
const lastBody = (asked: Asked[]) => JSON.parse(asked.at(-1)?.body ?? "{}") as Record<string, unknown>;

test("an ECS task is protected while it works, and not after", async () => {
  const agent = await startMetadata(() => ({ status: 200, body: { protection: { ProtectionEnabled: true } } }));
  const endpoint = await startEndpoint({ ECS_AGENT_URI: agent.url, INVOCATION_TIMEOUT_SECONDS: "600" });
  await endpoint.ready();
  expect(agent.asked).toEqual([]);
  const running = endpoint.post("/sdapi/v1/txt2img", slowTxt2Img({ steps: 100 }));
  await endpoint.sampling();
  expect(protectionsOf(agent.asked)).toEqual([["PUT", PROTECTION, { ProtectionEnabled: true, ExpiresInMinutes: 11 }]]);
  await running;
  await eventually(
    async () => lastBody(agent.asked),
    ({ ProtectionEnabled }) => ProtectionEnabled === false,
  );
  expect(agent.asked).toHaveLength(2);
});

test("an ECS task's work begins when its protection is there", async () => {
  const begun: boolean[] = [];
  const agent = await startMetadata(async () => {
    await sleep(300);
    begun.push(endpoint.log.some(({ message }) => message === "prompt queued"));
    return { status: 200, body: { protection: {} } };
  });
  const endpoint = await startEndpoint({ ECS_AGENT_URI: agent.url });
  expect((await endpoint.post("/prompt", { prompt: colourGraph(1) })).status).toBe(200);
  expect(begun[0]).toBe(false);
});

test.each([
  ["answers 400", { status: 400, body: { error: { Code: "InvalidParameter", Message: "no" } } }],
  ["answers 500", { status: 500, body: "down" }],
  ["never answers", "hang"],
] as const)(
  "F15: a protection that fails ends no work, and holds it up for a second at the most: the agent %s",
  async (_what, answer) => {
    const agent = await startMetadata(() => answer);
    const endpoint = await startEndpoint({ ECS_AGENT_URI: agent.url });
    await endpoint.ready();
    const startedAt = performance.now();
    expect((await endpoint.post("/prompt", { prompt: colourGraph(1) })).status).toBe(200);
    expect(performance.now() - startedAt).toBeLessThan(3_000);
    const running = endpoint.post("/sdapi/v1/txt2img", slowTxt2Img({ steps: 300 }));
    await eventually(
      async () => agent.asked.length,
      (calls) => calls > 1,
    );
    expect((await running).status).toBe(200);
    const warnings = endpoint.log.filter(({ message }) => message.includes("ECS agent"));
    expect(warnings.length).toBe(1);
  },
);

test("a task that belongs to no service asks once for its protection", async () => {
  const agent = await startMetadata(() => ({ status: 200, body: { failure: { Reason: "TASK_NOT_VALID" } } }));
  const endpoint = await startEndpoint({ ECS_AGENT_URI: agent.url });
  for (const color of [1, 2]) await endpoint.post("/prompt", { prompt: colourGraph(color) });
  await endpoint.logged(({ message }) => message.includes("belongs to no ECS service"));
  expect(agent.asked).toHaveLength(1);
});

test("F15: at a Spot notice no more work is taken, and what runs has the time that is left, beyond the usual grace", async () => {
  const notice: { time?: string } = {};
  const ec2 = await startEc2(notice);
  const endpoint = await startEndpoint({ AWS_EC2_METADATA_SERVICE_ENDPOINT: ec2.url, SHUTDOWN_GRACE_SECONDS: "0" });
  await endpoint.ready();
  const running = endpoint.post("/sdapi/v1/txt2img", slowTxt2Img({ steps: 800 }));
  await endpoint.sampling();
  notice.time = new Date(Date.now() + 120_000).toISOString();
  await endpoint.logged(({ message }) => message.startsWith("leaving: EC2"));
  const late = await endpoint.post("/prompt", { prompt: colourGraph(1) });
  expect(late.status).toBe(503);
  expect((await running).status).toBe(200);
  expect(await endpoint.exited).toBe(0);
});

test("F15: after a Spot notice, SIGTERM cuts the time to the usual grace", async () => {
  const notice: { time?: string } = {};
  const ec2 = await startEc2(notice);
  const endpoint = await startEndpoint({ AWS_EC2_METADATA_SERVICE_ENDPOINT: ec2.url, SHUTDOWN_GRACE_SECONDS: "0.5" });
  const running = endpoint.post("/sdapi/v1/txt2img", slowTxt2Img({ steps: 9_000 }));
  await endpoint.sampling();
  notice.time = new Date(Date.now() + 120_000).toISOString();
  await endpoint.logged(({ message }) => message.startsWith("leaving: EC2"));
  endpoint.process.kill("SIGTERM");
  const sentAt = performance.now();
  expect((await running).status).toBe(503);
  expect(await endpoint.exited).toBe(0);
  expect(performance.now() - sentAt).toBeLessThan(5_000);
});

test("F15: a metadata service that fails is asked again, and the worker works", async () => {
  const ec2 = await startMetadata(() => ({ status: 500 }));
  const endpoint = await startEndpoint({ AWS_EC2_METADATA_SERVICE_ENDPOINT: ec2.url });
  expect((await endpoint.post("/prompt", { prompt: colourGraph(1) })).status).toBe(200);
  await eventually(
    async () => ec2.asked.length,
    (calls) => calls > 1,
  );
  expect(endpoint.log.filter(({ message }) => message.includes("Spot notices"))).toHaveLength(1);
});

test("Salad's deletion cost is the work in flight", async () => {
  const imds = await startMetadata(() => ({ status: 204 }));
  const endpoint = await startEndpoint({
    SALAD_CONTAINER_GROUP_ID: "g",
    HOST: "127.0.0.1",
    SALAD_METADATA_URL: imds.url,
  });
  await endpoint.ready();
  const running = endpoint.post("/sdapi/v1/txt2img", slowTxt2Img({ steps: 100 }));
  await endpoint.sampling();
  const waiting = endpoint.post("/prompt", { prompt: colourGraph(1) });
  await Promise.all([running, waiting]);
  await eventually(
    async () => lastBody(imds.asked),
    ({ deletion_cost }) => deletion_cost === 0,
  );
  expect(imds.asked.map(({ body }) => (JSON.parse(body) as { deletion_cost: number }).deletion_cost)).toEqual([
    1, 2, 1, 0,
  ]);
  expect(imds.asked[0]).toMatchObject({ method: "PUT", path: "/v1/deletion-cost", headers: { metadata: "true" } });
});

test("a worker that has nothing to do for IDLE_EXIT_SECONDS exits with 0, and not while it works", async () => {
  const endpoint = await startEndpoint({ IDLE_EXIT_SECONDS: "1.5" });
  await endpoint.ready();
  const startedAt = performance.now();
  expect((await endpoint.post("/sdapi/v1/txt2img", slowTxt2Img({ steps: 250 }))).status).toBe(200);
  expect(performance.now() - startedAt, "longer than the idle time").toBeGreaterThan(1_500);
  const doneAt = performance.now();
  expect(await endpoint.exited).toBe(0);
  expect(performance.now() - doneAt).toBeGreaterThan(1_400);
});

test("after MAX_INVOCATIONS the worker exits with 0", async () => {
  const endpoint = await startEndpoint({ MAX_INVOCATIONS: "2" });
  for (const seed of [1, 2])
    expect((await endpoint.post("/sdapi/v1/txt2img", quickTxt2Img({ seed }))).status).toBe(200);
  expect(await endpoint.exited).toBe(0);
});
