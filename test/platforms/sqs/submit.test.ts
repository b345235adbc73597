/** `submit` on one side of the queue, a worker on the other. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type Aws, BUCKET, startAws } from "../../support/aws.ts";
import { runCommand, startEndpoint } from "../../support/endpoint.ts";
import { colourGraph, quickTxt2Img } from "../../support/payloads.ts";
import { decode } from "../../support/pictures.ts";
import { promptsRun } from "../../support/platform-calls.ts";

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "submit-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** Runs the command with the payload on stdin; it does not outlive its test by much. */
async function submit(
  { settings: usual }: Pick<Aws, "settings">,
  payload: unknown,
  args: string[] = [],
  settings: Record<string, string> = {},
) {
  const { code, stdout, stderr } = await runCommand(
    ["submit", "-", "--wait", "50", ...args],
    { ...usual, ...settings },
    typeof payload === "string" ? payload : JSON.stringify(payload),
  );
  return { code, result: stdout === "" ? undefined : JSON.parse(stdout), stderr };
}

const sent = (aws: Aws) =>
  aws.calls.filter(({ action }) => action === "SendMessage").map(({ body }) => JSON.parse(body));

test("a payload from a file: its result's document on stdout, its pictures as files, exit code 0", async () => {
  const aws = await startAws();
  await startEndpoint(aws.settings);
  const folder = makeFolder();
  const file = join(folder, "payload.json");
  writeFileSync(file, JSON.stringify(quickTxt2Img()));
  const { SQS_QUEUE_URL: queue, S3_BUCKET: bucket, ...settings } = aws.settings;
  const options = ["--queue", queue!, "--bucket", bucket!, "--out", join(folder, "pictures")];
  const { code, stdout, stderr } = await runCommand(["submit", file, ...options], settings);
  expect(code, stderr).toBe(0);

  const result = JSON.parse(stdout);
  const [output] = result.outputs;
  expect(await decode(readFileSync(output.file))).toMatchObject({ width: 64, height: 64 });
  const { file: _, ...document } = output;
  expect(await aws.read(`results/${result.id}.json`)).toEqual({ ...result, outputs: [document] });
  expect(stderr, "who is interrupted knows what to ask for").toContain(result.id);
  await aws.empty("jobs");
});

test.each<[form: string, payload: object]>([
  ["a bare graph", colourGraph(1)],
  ["a graph", { prompt: colourGraph(1) }],
  ["a job of RunPod's", { input: { workflow: colourGraph(1) } }],
  [
    "a call of A1111's API",
    { input: { api: { method: "POST", endpoint: "/sdapi/v1/txt2img" }, payload: quickTxt2Img() } },
  ],
])("%s has its result under the id that the command gives", async (_, payload) => {
  const aws = await startAws();
  await startEndpoint(aws.settings);
  const { code, result } = await submit(aws, payload, ["--id", "order-7"]);
  expect({ code, result }).toMatchObject({ code: 0, result: { id: "order-7", status: "succeeded" } });
});

test("a payload's own id is kept, and its long integers are", async () => {
  const aws = await startAws();
  const payload = `{"input": {"id": "mine", "workflow": {"1": {"class_type": "A", "inputs": {"seed": 18446744073709551615}}}}}`;
  const { code, result } = await submit(aws, payload, ["--no-wait"]);
  const document = { bucket: BUCKET, key: "results/mine.json" };
  expect({ code, result }).toMatchObject({ code: 0, result: { id: "mine", status: "sent", document } });
  expect(result.message_id).toMatch(/^[\w-]+$/);
  expect(sent(aws)).toMatchObject([{ MessageBody: expect.stringContaining('"seed":18446744073709551615}') }]);
});

test("a payload that is too long for a message goes through the bucket", async () => {
  const aws = await startAws();
  const settings = { ...aws.settings, S3_PREFIX: "shop/" };
  await startEndpoint(settings);
  const payload = { prompt: colourGraph(1), note: "x".repeat(2_000_000) };
  const { code } = await submit({ settings }, payload, ["--id", "long"]);
  expect(code).toBe(0);
  expect(sent(aws)).toMatchObject([{ MessageBody: expect.stringContaining('"s3Key":"shop/inputs/long.json"') }]);
});

test("without a bucket it cannot be sent", async () => {
  const aws = await startAws();
  const { S3_BUCKET: _, ...settings } = aws.settings;
  const { code, result } = await submit({ settings }, { prompt: "x".repeat(300_000) }, ["--no-wait"]);
  expect({ code, result }).toMatchObject({ code: 2, result: { error: { code: "payload_too_large" } } });
  expect(sent(aws)).toEqual([]);
});

test("what can never succeed is told as it is told by `invoke`, with exit code 2; the message is in the dead-letter queue", async () => {
  const aws = await startAws({ maxReceiveCount: 2 });
  await startEndpoint(aws.settings);
  const payload = { prompt: { "1": { class_type: "NoSuchNode", inputs: {} } } };
  const { code, result } = await submit(aws, payload, ["--id", "poison"]);
  const error = { code: "invalid_workflow", retryable: false, invocation_id: "poison" };
  expect({ code, result }).toMatchObject({ code: 2, result: { error } });
  await aws.empty("jobs");
  expect(aws.count("dead").ready).toBe(1);
});

test("what failed in its last delivery and might succeed another time: exit code 1", async () => {
  const aws = await startAws({ maxReceiveCount: 1 });
  aws.setFault(({ action, path }) => (action === "PUT" && path.includes("/outputs/") ? 503 : undefined));
  await startEndpoint(aws.settings);
  const { code, result } = await submit(aws, { prompt: colourGraph(1) });
  expect({ code, result }).toMatchObject({ code: 1, result: { error: { code: "upload_failed", retryable: true } } });
});

test("no result in time: exit code 1; the same id asks again, and what was sent twice runs once", async () => {
  const aws = await startAws();
  const startedAt = performance.now();
  const early = await submit(aws, { prompt: colourGraph(1) }, ["--id", "a", "--wait", "1"]);
  expect(performance.now() - startedAt).toBeLessThan(8_000);
  const error = { code: "result_pending", retryable: true, invocation_id: "a" };
  expect(early).toMatchObject({ code: 1, result: { error } });

  const endpoint = await startEndpoint(aws.settings);
  const late = await submit(aws, { prompt: colourGraph(1) }, ["--id", "a"]);
  expect(late).toMatchObject({ code: 0, result: { id: "a", status: "succeeded" } });
  await aws.empty("jobs");
  expect(promptsRun(endpoint)).toBe(1);
});

test("an id that has its result is not sent again, whether it succeeded or failed", async () => {
  const aws = await startAws();
  await aws.write("results/done.json", { id: "done", status: "succeeded", attempt: 1, outputs: [] });
  const error = { code: "crash_loop", message: "ComfyUI died", retryable: false };
  await aws.write("results/lost.json", { id: "lost", status: "failed", attempt: 3, error });
  expect(await submit(aws, { prompt: {} }, ["--id", "done"])).toMatchObject({ code: 0, result: { outputs: [] } });
  expect(await submit(aws, { prompt: {} }, ["--id", "lost"])).toMatchObject({ code: 2, result: { error } });
  expect(sent(aws)).toEqual([]);
});

test("an outage of the bucket while it waits is waited for", async () => {
  const aws = await startAws();
  const isDown = () => sent(aws).length > 0 && aws.calls.filter(({ status }) => status === 503).length < 6;
  aws.setFault(({ action }) => (action === "GET" && isDown() ? 503 : undefined));
  await startEndpoint(aws.settings);
  expect(await submit(aws, { prompt: colourGraph(1) })).toMatchObject({ code: 0, result: { status: "succeeded" } });
  expect(aws.calls.some(({ status }) => status === 503)).toBe(true);
});

test("a FIFO queue takes it too", async () => {
  const aws = await startAws({ attributes: { FifoQueue: "true" } });
  await startEndpoint(aws.settings);
  const { code } = await submit(aws, { prompt: colourGraph(1) }, ["--id", "a ~ b"]);
  expect(code).toBe(0);
});

test("a bucket that is not there is told before anything is sent; a queue that is not there is told", async () => {
  const aws = await startAws();
  const noBucket = await submit(aws, { prompt: colourGraph(1) }, ["--bucket", "nowhere"]);
  expect(noBucket).toMatchObject({ code: 1, result: { error: { code: "download_failed" } } });
  expect(noBucket.result.error.message).toContain("nowhere");
  expect(sent(aws)).toEqual([]);

  const queue = aws.settings["SQS_QUEUE_URL"]!.replace("jobs", "nobodys");
  const noQueue = await submit(aws, { prompt: colourGraph(1) }, ["--queue", queue]);
  expect(noQueue).toMatchObject({ code: 1, result: { error: { code: "submit_failed" } } });
  expect(noQueue.result.error.message).toContain(queue);
});

test.each<[what: string, payload: string, named: string]>([
  ["no JSON", "{", "JSON"],
  ["no object", "[1]", "object"],
  ["an id that cannot be one", '{"id": "a/b", "prompt": {}}', "id"],
  ["a CloudEvent", '{"specversion": "1.0", "id": "1", "data": {"prompt": {}}}', "wrapped"],
  ["a notification", '{"Records": [{"eventSource": "aws:s3", "s3": {}}]}', "wrapped"],
])("what no worker would find the id in is not sent: %s", async (_, payload, named) => {
  const aws = await startAws();
  const { code, result } = await submit(aws, payload);
  expect(code).toBe(2);
  expect(result.error.message).toContain(named);
  expect(aws.calls).toEqual([]);
});

test.each<[what: string, args: string[], settings: Record<string, string>, named: string]>([
  ["a queue", [], { SQS_QUEUE_URL: "" }, "--queue"],
  ["a bucket", [], { S3_BUCKET: "" }, "--bucket"],
  ["an address", ["--queue", "jobs"], {}, "SQS_QUEUE_URL"],
  ["seconds", ["--wait", "soon"], {}, "--wait"],
  ["an id", ["--id", "../a"], {}, "--id"],
  ["an option", ["--fast"], {}, "--fast"],
])("what is missing or wrong on the command line is named, with exit code 2: %s", async (_, args, settings, named) => {
  const aws = await startAws();
  const { code, stderr } = await submit(aws, {}, args, settings);
  expect(code).toBe(2);
  expect(stderr).toContain(named);
  expect(stderr).not.toContain("    at ");
});

test("an output that would lie outside the folder is not written, and one that is gone is named", async () => {
  const aws = await startAws();
  const folder = makeFolder();
  const output = { node_id: "1", size_bytes: 9, bucket: BUCKET, key: "outputs/a/1/x.png" };
  await aws.write("outputs/a/1/x.png", {});
  for (const [id, name, key] of [
    ["out", "../x.png", output.key],
    ["gone", "x.png", "outputs/gone/1/x.png"],
  ] as const) {
    const outputs = [{ ...output, name, key }];
    await aws.write(`results/${id}.json`, { id, status: "succeeded", attempt: 1, outputs });
    const { code, result } = await submit(aws, {}, ["--id", id, "--out", join(folder, "made")]);
    expect(code).toBe(2);
    expect(result.error.message).toContain(id === "out" ? "../x.png" : key);
  }
  expect(readdirSync(folder)).toEqual([]);
});
