/** `submit`, the caller's side of a queue: sends one payload, waits for its result document, and fetches what that names. */
import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import { EndpointError, toEndpointError, toErrorBody } from "../../runtime/errors.ts";
import { leavesFolder } from "../../workflows/relative-path.ts";
import { patiently } from "../adapters/messages/patiently.ts";
import { isStoreOutage } from "../adapters/messages/run-message.ts";
import { openQueues } from "../adapters/sqs/queue.ts";
import { type ExitCode, printFailure, printResult, readPayload, saveOutput } from "../command-line.ts";
import { ConfigError } from "../config.ts";
import { createLogger } from "../log.ts";
import { type ResultDocument, Results } from "../outputs/results.ts";
import { type ObjectStore, openObjectStore } from "../outputs/s3.ts";
import { isTooLong, type NamedMessage, nameMessage, pointerTo } from "./message.ts";
import { readSubmission, type Submission, USAGE } from "./options.ts";

type SuccessDocument = Extract<ResultDocument, { status: "succeeded" }>;

interface Bucket {
  store: ObjectStore;
  results: Results;
  /** For a payload that is too long for a message. */
  inputKey(id: string): string;
}

/** The result is asked for when so much more of the time has passed; not more often, and not less. */
const PAUSE = { share: 0.1, minMs: 250, maxMs: 5_000 };
/** For what waits for no worker. */
const never = new AbortController().signal;

/** Runs the command. @param args what follows its name. */
export async function submit(args: readonly string[]): Promise<ExitCode> {
  try {
    const submission = readSubmission(args);
    if (submission) return await run(submission, await createLogger(submission.config.LOG_LEVEL, 2));
    process.stdout.write(`${USAGE}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 2;
  }
}

async function run(given: Submission, log: Logger): Promise<ExitCode> {
  let id = given.id;
  try {
    const message = await nameMessage(await readPayload(given.source), id);
    id = message.id;
    const bucket = await openBucket(given.config);
    if (given.waitSeconds === undefined || bucket === undefined) return printResult(await send(message, given, bucket));
    const document = await obtain(message, given.waitSeconds, { given, bucket, log });
    if (document.status === "failed") return printFailure({ error: { ...document.error, invocation_id: id } });
    return printResult(given.outDir === undefined ? document : await save(document, given.outDir, bucket.store));
  } catch (thrown) {
    const error = toEndpointError(thrown);
    if (error.code === "internal") log.error({ err: thrown }, error.message);
    return printFailure(toErrorBody(error, id));
  }
}

async function openBucket(config: Submission["config"]): Promise<Bucket | undefined> {
  const { S3_BUCKET: name, S3_PREFIX: prefix } = config;
  if (name === undefined) return undefined;
  const store = await openObjectStore(config);
  const results = new Results(name, prefix, async () => store);
  return { store, results, inputKey: (id) => `${prefix}inputs/${id}.json` };
}

/** The result under a message's id: the one that stands, or the one that comes of sending it. */
async function obtain(
  message: NamedMessage,
  seconds: number,
  { given, bucket, log }: { given: Submission; bucket: Bucket; log: Logger },
): Promise<ResultDocument> {
  const { id } = message;
  // What is wrong with the bucket is found out before a GPU works for it.
  const standing = await bucket.results.find(id, never);
  if (standing) {
    log.info({ id }, "this id has its result already; nothing is sent");
    return standing;
  }
  log.info(await send(message, given, bucket), `sent; waiting for the result, ${seconds} s at most`);
  return awaitResult(id, seconds, { results: bucket.results, log });
}

/** @throws EndpointError `submit_failed`, `upload_failed`, `payload_too_large`. */
async function send(
  message: NamedMessage,
  { queueUrl, queueEndpoint, config }: Submission,
  bucket: Bucket | undefined,
) {
  const { id } = message;
  const queueAt = await openQueues(config, queueUrl, queueEndpoint);
  const letter = {
    body: isTooLong(message) ? await putAside(message, bucket) : message.text,
    attributes: {},
    traceHeader: undefined,
    groupId: undefined,
    deduplicationId: createHash("sha256").update(id).digest("hex"),
  };
  const messageId = await queueAt(queueUrl)
    .send(letter)
    .catch((cause: Error) => {
      const reason = `${cause.name}: ${cause.message}`;
      const details = { queue: queueUrl, reason: cause.name };
      throw new EndpointError("submit_failed", `the queue ${queueUrl} does not take the message (${reason})`, {
        cause,
        details,
      });
    });
  const document = bucket && { bucket: bucket.results.bucket, key: bucket.results.key(id) };
  return { id, status: "sent", message_id: messageId, ...(document && { document }) };
}

/** @returns what goes into the queue in its place. */
async function putAside({ id, text }: NamedMessage, bucket: Bucket | undefined): Promise<string> {
  if (bucket === undefined)
    throw new EndpointError(
      "payload_too_large",
      "the payload is too long for a message; name a bucket to send it through (--bucket NAME or S3_BUCKET)",
    );
  const key = bucket.inputKey(id);
  await bucket.store.put(bucket.results.bucket, key, Buffer.from(text), "application/json", never);
  return pointerTo(bucket.results.bucket, key);
}

/** Outages of the bucket are waited for. @throws EndpointError `result_pending`; `download_failed` where waiting is no use. */
async function awaitResult(
  id: string,
  seconds: number,
  { results, log }: { results: Results; log: Logger },
): Promise<ResultDocument> {
  const place = `${results.key(id)} in the bucket ${results.bucket}`;
  const late = new AbortController();
  const pending = () =>
    new EndpointError(
      "result_pending",
      `no result after ${seconds} s: there is no worker, it works still, or the message killed every worker that took it (see the dead-letter queue). Ask again with --id ${id}, or look for ${place}`,
    );
  const clock = setTimeout(() => late.abort(pending()), seconds * 1000);
  const startedAt = performance.now();
  try {
    for (;;) {
      const ask = () => results.find(id, late.signal);
      const document = await patiently(ask, { signal: late.signal, log }, isStoreOutage);
      if (document) return document;
      const pauseMs = (performance.now() - startedAt) * PAUSE.share;
      const bounded = Math.min(Math.max(pauseMs, PAUSE.minMs), PAUSE.maxMs);
      await delay(bounded, undefined, { signal: late.signal }).catch(() => {});
    }
  } finally {
    clearTimeout(clock);
  }
}

/** Fetches every output into a folder. @throws EndpointError `not_found`, `download_failed`, `invalid_request`. */
async function save(document: SuccessDocument, folder: string, store: ObjectStore) {
  const outputs = [];
  // One after the other: any of them may be a film.
  for (const output of document.outputs) outputs.push({ ...output, file: await saveOne(output, folder, store) });
  return { ...document, outputs };
}

async function saveOne(
  { name, bucket, key, size_bytes: maxBytes }: SuccessDocument["outputs"][number],
  folder: string,
  store: ObjectStore,
): Promise<string> {
  if (leavesFolder(name)) throw new EndpointError("invalid_request", `the output ${name} would lie outside ${folder}`);
  const bytes = await store.get(bucket!, key!, { maxBytes, signal: never });
  if (bytes) return saveOutput(folder, name, bytes);
  throw new EndpointError("not_found", `the output ${key} is no longer in the bucket ${bucket}`);
}
