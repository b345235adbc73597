/** A message belongs to one worker at a time, whatever happens to queue, engine and worker. */
import { createHash } from "node:crypto";
import { DeleteMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { expect, test } from "vitest";
import { type Aws, startAws } from "../../support/aws.ts";
import { type RunningEndpoint, startEndpoint } from "../../support/endpoint.ts";
import { colourGraph, slowTxt2Img } from "../../support/payloads.ts";

/** A prompt of so many seconds: the emulator takes 10 ms for a step. */
const lasting = (seconds: number, id: string) => JSON.stringify({ id, ...slowTxt2Img({ steps: seconds * 100 }) });
const quick = (id: string) => JSON.stringify({ id, prompt: colourGraph(1) });
const started = (endpoint: RunningEndpoint) => endpoint.logged(({ message }) => message === "prompt queued");
const actions = (aws: Aws, action: string) => aws.calls.filter((call) => call.action === action);
const seconds = (number: number) => new Promise((resolve) => setTimeout(resolve, number * 1000));

test("F5 a job of 14 s lives under a visibility timeout of 10 s, though extensions are refused, throttled or cut for a while", async () => {
  const aws = await startAws();
  const settings = { ...aws.settings, SQS_VISIBILITY_SECONDS: "10" };
  // The other one would get it as soon as the lease is over.
  const workers = await Promise.all([startEndpoint(settings), startEndpoint(settings)]);
  await Promise.all(workers.map((worker) => worker.ready()));
  aws.fauxqs.sendMessage("jobs", lasting(14, "long"));
  await Promise.race(workers.map(started));
  // The first extension is due after 3.3 s, and the lease would end after 10.
  const faults = [503, { code: "RequestThrottled" }, "reset"] as const;
  let failed = 0;
  aws.setFault(({ action }) => (action === "ChangeMessageVisibility" ? faults[failed++ % faults.length] : undefined));
  await seconds(7);
  aws.setFault(undefined);
  await aws.empty("jobs");
  expect(failed).toBeGreaterThanOrEqual(faults.length);
  expect(await aws.read("results/long.json")).toMatchObject({ status: "succeeded", attempt: 1 });
  const received = workers.flatMap(({ log }) => log.filter(({ message }) => message === "invocation received"));
  expect(received).toHaveLength(1);
});

test.each([
  [
    "the queue says that the message is gone",
    async (aws: Aws) => {
      const [held] = aws.fauxqs.inspectQueue("jobs")!.messages.inflight;
      const client = new SQSClient({
        endpoint: `http://127.0.0.1:${aws.fauxqs.port}`,
        region: "us-east-1",
        credentials: { accessKeyId: "test", secretAccessKey: "test" },
      });
      const QueueUrl = aws.settings["SQS_QUEUE_URL"]!;
      await client.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: held!.receiptHandle }));
    },
  ],
  [
    "the queue says that the receipt handle is invalid",
    async (aws: Aws) =>
      aws.setFault(({ action }) =>
        action === "ChangeMessageVisibility" ? { code: "ReceiptHandleIsInvalid" } : undefined,
      ),
  ],
  [
    "the queue is not to be reached until the lease has passed",
    async (aws: Aws) => aws.setFault(({ action }) => (action === "ChangeMessageVisibility" ? "hang" : undefined)),
  ],
])("F6 a lost lease (%s): the prompt is interrupted, and nothing is written or deleted", async (_name, lose) => {
  const aws = await startAws();
  const endpoint = await startEndpoint({ ...aws.settings, SQS_VISIBILITY_SECONDS: "3" });
  aws.fauxqs.sendMessage("jobs", lasting(20, "lost"));
  await started(endpoint);
  await lose(aws);
  const startedAt = performance.now();
  await endpoint.logged(({ code }) => code === "lease_lost");
  expect(performance.now() - startedAt).toBeLessThan(3_500);
  await endpoint.logged(({ message }) => message === "the message is left to whoever has it now");
  expect(actions(aws, "DeleteMessage")).toEqual([]);
  expect(await aws.keys("results/")).toEqual([]);

  aws.setFault(undefined);
  aws.fauxqs.sendMessage("jobs", quick("next"));
  while ((await aws.read("results/next.json")) === undefined) await seconds(0.1);
});

test("F7 a job over its deadline is interrupted and reported", async () => {
  const aws = await startAws();
  await startEndpoint({ ...aws.settings, INVOCATION_TIMEOUT_SECONDS: "1" });
  aws.fauxqs.sendMessage("jobs", lasting(20, "late"));
  await aws.empty("jobs");
  expect(await aws.read("results/late.json")).toMatchObject({ status: "failed", error: { code: "deadline_exceeded" } });
});

test("F4 a message that kills ComfyUI twice is a crash loop, and the worker goes on", async () => {
  const aws = await startAws({ maxReceiveCount: 5 });
  const { "2": save, ...graph } = colourGraph(1);
  const killer = {
    ...graph,
    "3": { class_type: "ImageInvert", inputs: { image: ["1", 0] } },
    "2": { ...save, inputs: { ...save!.inputs, images: ["3", 0] } },
  };
  const endpoint = await startEndpoint({ ...aws.settings, COMFYUI_ARGS: "--fault crash=ImageInvert" });
  aws.fauxqs.sendMessage("jobs", JSON.stringify({ id: "killer", prompt: killer }));
  await aws.empty("jobs");
  aws.fauxqs.sendMessage("jobs", quick("good"));
  await aws.empty("jobs");
  const crashed = { status: "failed", attempt: 2, error: { code: "crash_loop", details: { crashes: 2 } } };
  expect(await aws.read("results/killer.json")).toMatchObject(crashed);
  expect(await aws.read("results/good.json")).toMatchObject({ status: "succeeded" });
  expect(aws.count("dead").ready).toBe(1);
  expect(
    endpoint.log.filter(({ message }) => message === "prompt queued"),
    "two of the killer's",
  ).toHaveLength(3);
});

test("F14 a worker that is killed in mid-job leaves nothing in public; the next begins anew", async () => {
  const aws = await startAws();
  const settings = { ...aws.settings, SQS_VISIBILITY_SECONDS: "3" };
  const first = await startEndpoint(settings);
  aws.fauxqs.sendMessage("jobs", lasting(20, "killed"));
  await started(first);
  first.process.kill("SIGKILL");
  await first.exited;
  expect([...(await aws.keys("results/")), ...(await aws.keys("outputs/"))]).toEqual([]);
  aws.fauxqs.sendMessage("jobs", quick("after"));
  const second = await startEndpoint(settings);
  await started(second);
  await second.logged(({ message, attempt }) => message === "invocation received" && attempt === 2);
});

test("F2 two workers run the same id at the same time: one document, and what it names is what it says", async () => {
  const aws = await startAws();
  const workers = await Promise.all([startEndpoint(aws.settings), startEndpoint(aws.settings)]);
  await Promise.all(workers.map((worker) => worker.ready()));
  for (const seed of [1, 2])
    aws.fauxqs.sendMessage("jobs", JSON.stringify({ id: "both", ...slowTxt2Img({ seed, steps: 200 }) }));
  await aws.empty("jobs");
  expect(workers.map(({ log }) => log.filter(({ message }) => message === "prompt queued").length)).toEqual([1, 1]);
  const { outputs } = (await aws.read("results/both.json")) as { outputs: { key: string; sha256: string }[] };
  const stored = await fetch(`http://127.0.0.1:${aws.fauxqs.port}/pictures/${outputs[0]!.key}`);
  const sha256 = createHash("sha256")
    .update(Buffer.from(await stored.arrayBuffer()))
    .digest("hex");
  expect(sha256).toBe(outputs[0]!.sha256);
});

test("F23 in a FIFO group nothing is begun before what came before it is settled, failures too", async () => {
  const aws = await startAws({ attributes: { FifoQueue: "true" }, maxReceiveCount: 3 });
  const bodies = [quick("first"), "{not json", quick("third")];
  const ids = bodies.map(
    (body, index) =>
      aws.fauxqs.sendMessage("jobs.fifo", body, { messageGroupId: "tenant", messageDeduplicationId: `${index}` })
        .messageId,
  );
  await startEndpoint(aws.settings);
  await aws.empty("jobs.fifo");
  const written = aws.calls.filter(({ action, path }) => action === "PUT" && path.includes("/results/"));
  expect(written.map(({ path }) => path.split("/").at(-1))).toEqual(["first.json", `${ids[1]}.json`, "third.json"]);
  expect(await aws.read("results/third.json")).toMatchObject({ status: "succeeded" });
  expect(aws.fauxqs.inspectQueue("dead.fifo")!.messages.ready.map(({ messageId }) => messageId)).toEqual([ids[1]]);
});
