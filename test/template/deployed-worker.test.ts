/** A worker as template.yaml deploys it, in both modes: with its variables, a queue's attributes, and no more than its rights. */
import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { type Aws, type AwsCall, BUCKET, startAws } from "../support/aws.ts";
import { startEndpoint } from "../support/endpoint.ts";
import { startLambda } from "../support/lambda-runtime.ts";
import { colourGraph } from "../support/payloads.ts";
import { containerEnvironment, propertiesOf } from "./policy.ts";
import { type Fields, resolveStack, type Stack } from "./resolve.ts";
import { statementsOf } from "./rights.ts";

const STACK = resolveStack({ ImageUri: "worker:1", MaxReceiveCount: 2 });
const FUNCTION_STACK = resolveStack({ ImageUri: "worker:1", ComputeMode: "lambda" });
const QUEUE = propertiesOf(STACK, "JobQueue");

/** Those that are numbers: what SQS calls an attribute as CloudFormation calls it. */
const attributes = Object.fromEntries(
  Object.entries(QUEUE).flatMap(([name, value]) => (typeof value === "number" ? [[name, String(value)]] : [])),
);

test("a worker with its variables does a job, one whose payload lies in the bucket, and gives up what never succeeds, by its rights alone", async () => {
  const maxReceiveCount = Number((QUEUE["RedrivePolicy"] as Fields)["maxReceiveCount"]);
  const aws = await startAws({ attributes, maxReceiveCount });
  const { url } = await startEndpoint({ ...containerEnvironment(STACK), ...aws.settings, PORT: "0" });
  expect(await isHealthy(url)).toBe(true);
  const payload = (id: string) => ({ id, prompt: colourGraph(1) });
  aws.fauxqs.sendMessage("jobs", JSON.stringify(payload("in-the-message")));
  await aws.write("inputs/large.json", payload("in-the-bucket"));
  const pointer = { s3BucketName: BUCKET, s3Key: "inputs/large.json" };
  aws.fauxqs.sendMessage("jobs", JSON.stringify(["software.amazon.payloadoffloading.PayloadS3Pointer", pointer]));
  const poison = { id: "never", prompt: { "1": { class_type: "NoSuchNode", inputs: {} } } };
  aws.fauxqs.sendMessage("jobs", JSON.stringify(poison));
  await aws.empty("jobs");
  await expect.poll(() => aws.count("dead").ready, { timeout: 10_000 }).toBe(1);

  expect(await aws.read("results/in-the-message.json")).toMatchObject({ status: "succeeded" });
  expect(await aws.read("results/in-the-bucket.json")).toMatchObject({ status: "succeeded" });
  expect(await aws.read("results/never.json")).toMatchObject({ status: "failed", attempt: 1 });
  expect(forbidden(aws, STACK)).toEqual([]);
  const made = new Set(aws.calls.map(rightFor).map(([action]) => action));
  expect([...made].sort()).toEqual([
    "s3:GetObject",
    "s3:PutObject",
    "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
  ]);
});

test("nobody there is not healthy", async () => {
  expect(await isHealthy("http://127.0.0.1:1")).toBe(false);
});

/** By the command that ECS runs in the container. */
async function isHealthy(url: string): Promise<boolean> {
  const [container] = propertiesOf(STACK, "TaskDefinition")["ContainerDefinitions"] as [Fields];
  const [, program, ...args] = (container["HealthCheck"] as Fields)["Command"] as [string, string, ...string[]];
  const asked = args.map((arg) => arg.replace("http://127.0.0.1:3000", url));
  expect(asked).not.toEqual(args);
  return promisify(execFile)(program, asked).then(
    () => true,
    () => false,
  );
}

test("a function with its variables does a job of the queue by its rights alone, and writes nowhere but in /tmp", async () => {
  const aws = await startAws();
  const folder = await mkdtemp(join(tmpdir(), "function-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const variables = Object.entries(containerEnvironment(FUNCTION_STACK)).map(([name, value]) => [
    name,
    value.replace("/tmp/comfyui", folder),
  ]);
  const { SQS_QUEUE_URL: _, ...bucket } = aws.settings;
  const { runtime } = await startLambda({ ...Object.fromEntries(variables), ...bucket });
  const record = {
    messageId: "m-1",
    body: JSON.stringify({ id: "by-function", prompt: colourGraph(1) }),
    attributes: { ApproximateReceiveCount: "1" },
    eventSource: "aws:sqs",
    eventSourceARN: "arn:aws:sqs:eu-central-1:123456789012:jobs",
  };
  const { body } = await runtime.invoke({ Records: [record] });
  expect(body).toEqual({ batchItemFailures: [] });
  expect(await aws.read("results/by-function.json")).toMatchObject({ status: "succeeded" });
  expect(forbidden(aws, FUNCTION_STACK)).toEqual([]);
  expect(await readdir(folder)).toContain("input");
});

/** Calls that the worker's role would not let through. */
function forbidden(aws: Aws, stack: Stack): string[] {
  const rights = statementsOf(stack).filter(({ holder }) => holder === "WorkerRole");
  const isAllowed = ([action, resource]: [string, string]) =>
    rights.some(
      ({ actions, resources }) =>
        actions.includes(action) &&
        resources.some((allowed) =>
          allowed.endsWith("*") ? resource.startsWith(allowed.slice(0, -1)) : resource === allowed,
        ),
    );
  return aws.calls
    .map(rightFor)
    .filter((right) => !isAllowed(right))
    .map((right) => right.join(" on "));
}

/** The action and the resource that a call needs. */
function rightFor({ action, path }: AwsCall): [action: string, resource: string] {
  const object = `<Bucket.Arn>${path.replace(`/${BUCKET}`, "")}`;
  if (action === "GET") return ["s3:GetObject", object];
  if (action === "PUT" || action === "POST") return ["s3:PutObject", object];
  if (action === "DELETE") return ["s3:AbortMultipartUpload", object];
  return [`sqs:${action}`, "<JobQueue.Arn>"];
}
