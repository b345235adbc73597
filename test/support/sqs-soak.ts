/** A queue full of work, duplicates and poison, and a worker that is ended again and again until nothing is left. */
import { createHash } from "node:crypto";
import { onTestFinished } from "vitest";
import { type Aws, BUCKET, startAws } from "./aws.ts";
import { EMULATOR_ENVIRONMENT, type RunningEndpoint, startEndpoint } from "./endpoint.ts";
import { quickTxt2Img } from "./payloads.ts";

interface SoakOptions {
  messages: number;
  /** Of each job's sampling, at 10 ms. */
  steps: number;
  /** How long a worker that serves is left alone. */
  everySeconds: number;
  signal: "SIGKILL" | "SIGTERM";
}

export interface SoakReport {
  ends: number;
  /** Ids that are to have a result, and message ids of what can have none. */
  valid: string[];
  poison: string[];
  /** Documents by id. */
  documents: Map<string, { status: string; outputs?: { key: string; sha256: string }[] }>;
  /** How often each document was written, and each id was begun. */
  writes: Map<string, number>;
  runs: Map<string, number>;
  /** Outputs that a document names and that are not there, or not as it says. */
  broken: string[];
  dead: string[];
  left: ReturnType<Aws["count"]>;
}

const DUPLICATES = 0.1;
const POISON = 0.05;
const VISIBILITY_SECONDS = 3;
/** fauxqs hands a message to the open poll of a worker that is dead by then: each such poll costs the last messages a delivery. */
const MAX_RECEIVES = 20;
const POISONS = ["{not json", "{}", JSON.stringify({ prompt: { "1": { class_type: "NoSuchNode", inputs: {} } } })];

export async function soak({ messages, steps, everySeconds, signal }: SoakOptions): Promise<SoakReport> {
  const aws = await startAws({ maxReceiveCount: MAX_RECEIVES });
  const poisonCount = Math.round(messages * POISON);
  const duplicateCount = Math.round(messages * DUPLICATES);
  const valid = Array.from({ length: messages - poisonCount - duplicateCount }, (_, index) => `job-${index}`);
  const bodies = [
    ...[...valid, ...valid.slice(0, duplicateCount)].map((id) => ({ id, body: JSON.stringify(job(id, steps)) })),
    ...Array.from({ length: poisonCount }, (_, index) => ({ id: undefined, body: POISONS[index % POISONS.length]! })),
  ];
  const poison: string[] = [];
  for (const { id, body } of shuffled(bodies)) {
    const { messageId } = aws.fauxqs.sendMessage("jobs", body);
    if (id === undefined) poison.push(messageId);
  }

  const workers: RunningEndpoint[] = [];
  let isEmpty = false;
  const emptied = aws.empty("jobs").then(() => {
    isEmpty = true;
  });
  while (!isEmpty) {
    const worker = await startWorker(aws);
    workers.push(worker);
    await worker.ready();
    await Promise.race([emptied, seconds(everySeconds)]);
    worker.process.kill(isEmpty ? "SIGKILL" : signal);
    await worker.exited;
    // A machine that is lost takes its engine along.
    if (signal === "SIGKILL") process.kill(-worker.enginePid(), "SIGKILL");
  }
  return { ends: workers.length - 1, valid, poison, ...(await examine(aws, workers)) };
}

const startWorker = (aws: Aws) =>
  startEndpoint(
    {
      ...aws.settings,
      ...EMULATOR_ENVIRONMENT,
      SQS_VISIBILITY_SECONDS: `${VISIBILITY_SECONDS}`,
      SHUTDOWN_GRACE_SECONDS: "20",
    },
    (stop) => onTestFinished(stop),
  );

async function examine(aws: Aws, workers: readonly RunningEndpoint[]) {
  const documents: SoakReport["documents"] = new Map();
  const writes = new Map<string, number>();
  const runs = new Map<string, number>();
  const broken: string[] = [];
  for (const key of await aws.keys("results/")) {
    const id = key.slice("results/".length, -".json".length);
    const document = (await aws.read(key)) as { status: string; outputs?: { key: string; sha256: string }[] };
    documents.set(id, document);
    for (const output of document.outputs ?? []) {
      const stored = await fetch(`http://127.0.0.1:${aws.fauxqs.port}/${BUCKET}/${output.key}`);
      const sha256 = createHash("sha256")
        .update(Buffer.from(await stored.arrayBuffer()))
        .digest("hex");
      if (sha256 !== output.sha256) broken.push(output.key);
    }
  }
  for (const { action, path, status } of aws.calls) {
    if (action === "PUT" && path.includes("/results/") && status === 200) increment(writes, path);
  }
  for (const { message, invocationId } of workers.flatMap(({ log }) => log))
    if (message === "prompt queued") increment(runs, String(invocationId));
  const dead = aws.fauxqs.inspectQueue("dead")!.messages.ready.map(({ messageId }) => messageId);
  return { documents, writes, runs, broken, dead, left: aws.count("jobs") };
}

function increment(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

const job = (id: string, steps: number) => ({ id, ...quickTxt2Img({ steps, seed: Number(id.split("-")[1]) }) });

/** The same order in every run. */
function shuffled<T>(things: readonly T[]): T[] {
  const keyed = things.map((thing, index) => ({ thing, key: createHash("sha256").update(`${index}`).digest("hex") }));
  return keyed.toSorted((a, b) => (a.key < b.key ? -1 : 1)).map(({ thing }) => thing);
}

const seconds = (number: number) => new Promise((resolve) => setTimeout(resolve, number * 1000));
