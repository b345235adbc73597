/** A worker's life: outages, SIGTERM, and the end of a batch job. */
import { expect, test } from "vitest";
import { startAws } from "../../support/aws.ts";
import { runCommand, startEndpoint } from "../../support/endpoint.ts";
import { startEc2 } from "../../support/metadata-server.ts";
import { colourGraph, slowTxt2Img } from "../../support/payloads.ts";

const quick = (id: string) => JSON.stringify({ id, prompt: colourGraph(1) });
const slow = (id: string) => JSON.stringify({ id, ...slowTxt2Img() });
const seconds = (number: number) => new Promise((resolve) => setTimeout(resolve, number * 1000));

test("an outage of the queue ends nothing: work goes on when it is back", async () => {
  const aws = await startAws();
  aws.setFault(({ action, at }) => (action === "ReceiveMessage" ? (at % 2 < 1 ? 503 : "reset") : undefined));
  const endpoint = await startEndpoint(aws.settings);
  aws.fauxqs.sendMessage("jobs", quick("a"));
  await seconds(6);
  expect(endpoint.process.exitCode).toBe(null);
  aws.setFault(undefined);
  await aws.empty("jobs");
  expect(await aws.read("results/a.json")).toMatchObject({ status: "succeeded", attempt: 1 });
  expect(aws.calls.filter(({ action }) => action === "ReceiveMessage").length, "no busy loop").toBeLessThan(20);
});

test("an outage of the bucket keeps the message waiting in its first delivery", async () => {
  const aws = await startAws({ maxReceiveCount: 1 });
  aws.setFault(({ path }) => (path.startsWith("/pictures") ? 503 : undefined));
  const endpoint = await startEndpoint({ ...aws.settings, SQS_VISIBILITY_SECONDS: "3" });
  aws.fauxqs.sendMessage("jobs", quick("a"));
  await endpoint.logged(({ message }) => message.startsWith("trying again in"));
  await seconds(5);
  aws.setFault(undefined);
  await aws.empty("jobs");
  expect(await aws.read("results/a.json")).toMatchObject({ status: "succeeded", attempt: 1 });
});

test("a failed upload is tried again later, from scratch", async () => {
  const aws = await startAws();
  aws.setFault(({ action, path }) => (action === "PUT" && path.includes("/outputs/a/1/") ? 503 : undefined));
  await startEndpoint(aws.settings);
  aws.fauxqs.sendMessage("jobs", quick("a"));
  await aws.empty("jobs");
  expect(await aws.read("results/a.json")).toMatchObject({ status: "succeeded", attempt: 2 });
});

test("the last delivery's failure is reported, whichever it is", async () => {
  const aws = await startAws({ maxReceiveCount: 1 });
  aws.setFault(({ action, path }) => (action === "PUT" && path.includes("/outputs/") ? 503 : undefined));
  await startEndpoint(aws.settings);
  aws.fauxqs.sendMessage("jobs", quick("a"));
  await aws.empty("jobs");
  expect(await aws.read("results/a.json")).toMatchObject({
    status: "failed",
    error: { code: "upload_failed", retryable: true },
  });
  expect(aws.count("dead").ready).toBe(1);
});

test("F13 SIGTERM when idle ends the open poll at once", async () => {
  const aws = await startAws();
  const endpoint = await startEndpoint(aws.settings);
  await endpoint.ready();
  while (!aws.calls.some(({ action }) => action === "ReceiveMessage")) await seconds(0.05);
  const startedAt = performance.now();
  endpoint.process.kill("SIGTERM");
  expect(await endpoint.exited).toBe(0);
  expect(performance.now() - startedAt).toBeLessThan(3_000);
});

test("F13 SIGTERM with enough grace: the job is finished and its message deleted, and no other is taken", async () => {
  const aws = await startAws();
  const endpoint = await startEndpoint({ ...aws.settings, SHUTDOWN_GRACE_SECONDS: "20" });
  aws.fauxqs.sendMessage("jobs", slow("running"));
  await endpoint.logged(({ message }) => message === "prompt queued");
  aws.fauxqs.sendMessage("jobs", quick("waiting"));
  endpoint.process.kill("SIGTERM");
  expect(await endpoint.exited).toBe(0);
  expect(await aws.read("results/running.json")).toMatchObject({ status: "succeeded", attempt: 1 });
  expect(aws.count("jobs")).toEqual({ ready: 1, inflight: 0, delayed: 0 });
});

test("F13 SIGTERM without enough grace: the prompt is interrupted and the message is everybody's at once", async () => {
  const aws = await startAws();
  const endpoint = await startEndpoint({ ...aws.settings, SHUTDOWN_GRACE_SECONDS: "1" });
  aws.fauxqs.sendMessage("jobs", JSON.stringify({ id: "cut", ...slowTxt2Img({ steps: 2000 }) }));
  await endpoint.logged(({ message }) => message === "prompt queued");
  const startedAt = performance.now();
  endpoint.process.kill("SIGTERM");
  expect(await endpoint.exited).toBe(0);
  expect(performance.now() - startedAt).toBeLessThan(4_000);
  expect(aws.count("jobs")).toEqual({ ready: 1, inflight: 0, delayed: 0 });
  expect(await aws.keys("results/")).toEqual([]);
});

test("F15 at a Spot notice the job is finished, beyond the usual grace, and no other is taken", async () => {
  const aws = await startAws();
  const notice: { time?: string } = {};
  const ec2 = await startEc2(notice);
  const leaving = { AWS_EC2_METADATA_SERVICE_ENDPOINT: ec2.url, SHUTDOWN_GRACE_SECONDS: "0" };
  const endpoint = await startEndpoint({ ...aws.settings, ...leaving });
  aws.fauxqs.sendMessage("jobs", JSON.stringify({ id: "running", ...slowTxt2Img({ steps: 600 }) }));
  await endpoint.logged(({ message }) => message === "prompt queued");
  notice.time = new Date(Date.now() + 120_000).toISOString();
  aws.fauxqs.sendMessage("jobs", quick("waiting"));
  await endpoint.logged(({ message }) => message.startsWith("leaving: EC2"));
  expect(await aws.read("results/running.json")).toBeUndefined();
  expect(await endpoint.exited).toBe(0);
  expect(await aws.read("results/running.json")).toMatchObject({ status: "succeeded", attempt: 1 });
  expect(aws.count("jobs")).toEqual({ ready: 1, inflight: 0, delayed: 0 });
});

test("a batch job takes what is in the queue and ends", async () => {
  const aws = await startAws();
  for (const id of ["a", "b", "c"]) aws.fauxqs.sendMessage("jobs", quick(id));
  const job = { ...aws.settings, AWS_BATCH_JOB_ID: "job-1", PORT: "0" };
  const { code } = await runCommand(["serve"], job);
  expect(code).toBe(0);
  expect(aws.count("jobs")).toEqual({ ready: 0, inflight: 0, delayed: 0 });
  expect(await aws.keys("results/")).toHaveLength(3);
});

test("without a bucket the worker does not start, and says what is missing", async () => {
  const { code, stdout, stderr } = await runCommand(["serve"], { SQS_QUEUE_URL: "http://127.0.0.1:9/0/q", PORT: "0" });
  expect(code).not.toBe(0);
  expect(stdout + stderr).toContain("S3_BUCKET");
});
