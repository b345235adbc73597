import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { GetObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { startFauxqs } from "fauxqs";
import { pino } from "pino";
import { describe, expect, onTestFinished, test } from "vitest";
import { createOutputs } from "../../../../handler/outputs/deliver.ts";
import { openObjectStore } from "../../../../handler/outputs/s3.ts";
import { EndpointError } from "../../../../runtime/errors.ts";
import { output } from "../../../support/completed.ts";
import { rejectionOf } from "../../../support/thrown.ts";

const never = new AbortController().signal;
const settingsFor = (url: string) => ({
  AWS_ENDPOINT_URL: url,
  AWS_REGION: "us-east-1",
  AWS_ACCESS_KEY_ID: "id",
  AWS_SECRET_ACCESS_KEY: "secret",
  AWS_SESSION_TOKEN: undefined,
});

/** A server that answers as an S3 would in the rare cases; it ends with the test. */
async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const requests: { method: string; path: string; headers: IncomingMessage["headers"] }[] = [];
  const server = createServer((request, response) => {
    requests.push({ method: request.method!, path: request.url!, headers: request.headers });
    request.resume().on("end", () => answer(request, response));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { requests, store: await openObjectStore(settingsFor(url)) };
}

const status = (code: number) => (_request: IncomingMessage, response: ServerResponse) =>
  response.writeHead(code).end();

describe("a bucket that fails", () => {
  test("for a while is tried again", async () => {
    let tries = 0;
    const { store, requests } = await serve((request, response) => status(++tries < 3 ? 503 : 200)(request, response));
    await store.put("pictures", "a.png", Buffer.from("x"), "image/png", never);
    expect(requests.map(({ method, path }) => `${method} ${path.split("?")[0]}`)).toEqual(
      Array.from({ length: 3 }, () => "PUT /pictures/a.png"),
    );
  });

  test.each([
    ["for good is given up after four tries", 503, 4],
    ["by refusing is not tried again", 403, 1],
  ])("%s", async (_name, code, tries) => {
    const { store, requests } = await serve(status(code));
    const error = await rejectionOf(store.put("pictures", "sub/a.png", Buffer.from("x"), "image/png", never));
    expect(error).toMatchObject({ code: "upload_failed", details: { bucket: "pictures", key: "sub/a.png" } });
    expect(error.message).toContain(`tries: ${tries})`);
    expect(requests).toHaveLength(tries);
  });

  test("by not being there at all is told within seconds", async () => {
    const store = await openObjectStore(settingsFor("http://127.0.0.1:1"));
    const startedAt = performance.now();
    const error = await rejectionOf(store.put("pictures", "a.png", Buffer.from("x"), "image/png", never));
    expect(error).toMatchObject({ code: "upload_failed", retryable: true });
    expect(performance.now() - startedAt).toBeLessThan(4_000);
  });
});

describe("a result document", () => {
  test("is asked to be written only where there is none", async () => {
    const { store, requests } = await serve(status(200));
    expect(await store.putOnce("pictures", "results/a.json", Buffer.from("{}"), "application/json", never)).toBe(true);
    expect(requests[0]!.headers).toMatchObject({ "if-none-match": "*", "content-type": "application/json" });
  });

  test("that is there already is kept, as is what it may name, and told in the log", async () => {
    const { store, requests } = await serve((request, response) =>
      status(request.headers["if-none-match"] === "*" ? 412 : 200)(request, response),
    );
    const lines: string[] = [];
    const log = pino({ level: "warn" }, { write: (line: string) => lines.push(line) });
    const configured = { S3_BUCKET: "pictures", S3_PREFIX: "", S3_PRESIGN_SECONDS: 0, INLINE_MAX_MB: 1 };
    const { deliver } = createOutputs(configured, async () => store, log);

    const delivered = await deliver([output()], {
      id: "id-1",
      attempt: 2,
      delivery: { isInline: false },
      signal: never,
    });
    const { bucket, key } = delivered[0]!.location!;
    expect(bucket).toBe("pictures");
    expect(key).toMatch(/^outputs\/id-1\/2-[0-9a-f-]{36}\/a\.png$/);
    expect(requests.map(({ path }) => path.split("?")[0])).toEqual([
      "/pictures/outputs/id-1/2/a.png",
      `/pictures/${key}`,
      "/pictures/results/id-1.json",
    ]);
    expect(lines.map((line) => JSON.parse(line))).toEqual([expect.objectContaining({ key: "results/id-1.json" })]);
  });

  test.each([
    ["and then is there", 412, false],
    ["and then is not there", 200, true],
  ])("that another copy writes at this moment is asked for again, %s", async (_name, second, isFirst) => {
    let tries = 0;
    const { store } = await serve((request, response) => status(++tries === 1 ? 409 : second)(request, response));
    expect(await store.putOnce("pictures", "a.json", Buffer.from("{}"), "application/json", never)).toBe(isFirst);
    expect(tries).toBe(2);
  });

  test("that cannot be written is an error", async () => {
    const { store } = await serve(status(403));
    const error = await rejectionOf(
      store.putOnce("pictures", "results/a.json", Buffer.from("{}"), "application/json", never),
    );
    expect(error).toMatchObject({ code: "upload_failed", details: { key: "results/a.json" } });
  });
});

describe("reading an object", () => {
  const options = { maxBytes: 10, signal: never };
  const error = (code: number, name: string) => (_request: IncomingMessage, response: ServerResponse) =>
    response.writeHead(code).end(`<Error><Code>${name}</Code></Error>`);

  test("gives its bytes", async () => {
    const { store } = await serve((_request, response) => response.writeHead(200).end("0123456789"));
    expect((await store.get("pictures", "a", options))?.toString()).toBe("0123456789");
  });

  test("that is not there gives nothing", async () => {
    const { store } = await serve(error(404, "NoSuchKey"));
    expect(await store.get("pictures", "a", options)).toBe(undefined);
  });

  test.each([
    [
      "is too large",
      (_request: IncomingMessage, response: ServerResponse) =>
        response.writeHead(200, { "content-length": 11 }).end("0123456789a"),
      "payload_too_large",
      {},
    ],
    ["may not be read", error(403, "AccessDenied"), "download_failed", { reason: "AccessDenied", status: 403 }],
    ["is in a bucket that is not there", error(404, "NoSuchBucket"), "download_failed", { reason: "NoSuchBucket" }],
    ["is in a store that fails", error(503, "SlowDown"), "download_failed", { reason: "SlowDown", status: 503 }],
  ])("that %s is an error", async (_name, answer, code, details) => {
    const { store } = await serve(answer);
    const failure = await rejectionOf(store.get("pictures", "a", options));
    expect(failure).toMatchObject({ code, ...(Object.keys(details).length > 0 && { details }) });
  });
});

describe("an abort ends the upload with its own reason", () => {
  const reason = new EndpointError("deadline_exceeded", "too late");

  test.each([
    ["small", 10],
    ["large", 17 * 1024 ** 2],
  ])("before it began: %s", async (_size, bytes) => {
    const { store, requests } = await serve(status(200));
    const upload = store.put("pictures", "a", Buffer.alloc(bytes), "image/png", AbortSignal.abort(reason));
    expect(await rejectionOf(upload)).toBe(reason);
    expect(requests).toEqual([]);
  });

  test.each([
    ["small", 10],
    ["large", 17 * 1024 ** 2],
  ])("while the bucket is silent: %s", async (_size, bytes) => {
    const abort = new AbortController();
    const { store } = await serve(() => abort.abort(reason));
    expect(await rejectionOf(store.put("pictures", "a", Buffer.alloc(bytes), "image/png", abort.signal))).toBe(reason);
  });
});

describe("the size of an object decides how it goes up", () => {
  const BOUNDARY = 16 * 1024 ** 2;

  test("16 MiB go up in one request", async () => {
    const { store, requests } = await serve(status(200));
    await store.put("pictures", "v.mp4", Buffer.alloc(BOUNDARY), "video/mp4", never);
    expect(requests.map(({ path }) => path.split("?")[0])).toEqual(["/pictures/v.mp4"]);
  });

  test("one byte more goes up in parts, and arrives whole", async () => {
    const aws = await startFauxqs({ port: 0, logger: false });
    onTestFinished(() => aws.stop());
    aws.createBucket("pictures");
    const endpoint = `http://127.0.0.1:${aws.port}`;
    const bytes = Buffer.alloc(BOUNDARY + 1, "0123456789abcdef!");
    await (await openObjectStore(settingsFor(endpoint))).put("pictures", "v.mp4", bytes, "video/mp4", never);

    const credentials = { accessKeyId: "id", secretAccessKey: "secret" };
    const client = new S3Client({ endpoint, forcePathStyle: true, region: "us-east-1", credentials });
    const { Body, ContentType, ETag } = await client.send(new GetObjectCommand({ Bucket: "pictures", Key: "v.mp4" }));
    expect([ContentType, ETag]).toEqual(["video/mp4", expect.stringMatching(/-4"$/)]); // four parts
    const sha256 = (data: Uint8Array) => createHash("sha256").update(data).digest("hex");
    expect(sha256(await Body!.transformToByteArray())).toBe(sha256(bytes));
  });
});
