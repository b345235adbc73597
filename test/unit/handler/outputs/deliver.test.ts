import { GetObjectCommand, HeadObjectCommand, ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";
import { startFauxqs } from "fauxqs";
import { pino } from "pino";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { createOutputs, type DeliveryTarget } from "../../../../handler/outputs/deliver.ts";
import { type ObjectStore, openObjectStore } from "../../../../handler/outputs/s3.ts";
import type { Delivery } from "../../../../handler/request/delivery.ts";
import { output } from "../../../support/completed.ts";
import { rejectionOf } from "../../../support/thrown.ts";

const aws = await startFauxqs({ port: 0, logger: false });
afterAll(() => aws.stop());
const settings = {
  AWS_ENDPOINT_URL: `http://127.0.0.1:${aws.port}`,
  AWS_REGION: "us-east-1",
  AWS_ACCESS_KEY_ID: "id",
  AWS_SECRET_ACCESS_KEY: "secret",
  AWS_SESSION_TOKEN: undefined,
};
const client = new S3Client({
  endpoint: settings.AWS_ENDPOINT_URL,
  forcePathStyle: true,
  region: "us-east-1",
  credentials: { accessKeyId: "id", secretAccessKey: "secret" },
});
const store = await openObjectStore(settings);

let bucket: string;
let buckets = 0;
beforeEach(() => {
  bucket = `pictures-${++buckets}`;
  aws.createBucket(bucket);
});

const CONFIGURED = { S3_PREFIX: "", S3_PRESIGN_SECONDS: 0, INLINE_MAX_MB: 256 };
const silent = pino({ level: "silent" });
const target = (delivery: Partial<Delivery> = {}): DeliveryTarget => ({
  id: "id-1",
  attempt: 2,
  delivery: { isInline: false, ...delivery },
  signal: new AbortController().signal,
});
const outputsTo = (given: object = {}, to: ObjectStore = store) =>
  createOutputs({ S3_BUCKET: bucket, ...CONFIGURED, ...given }, async () => to, silent);

async function keys(): Promise<string[]> {
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket }));
  return Contents.map(({ Key }) => Key!).sort();
}

async function text(key: string): Promise<string> {
  const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
  return Body!.transformToString();
}

/** A store that remembers the order in which things were safely written. */
function recording(): { store: ObjectStore; written: string[] } {
  const written: string[] = [];
  return {
    written,
    store: {
      ...store,
      async putOnce(...args) {
        const isFirst = await store.putOnce(...args);
        written.push(args[1]);
        return isFirst;
      },
    },
  };
}

describe("with the operator's bucket", () => {
  test("outputs lie under the id and the attempt, by their own names", async () => {
    const outputs = [output(), output({ name: "sub/b.png" }), output({ name: "ein Bild #1 ü%20.png" })];
    const delivered = await outputsTo().deliver(outputs, target());
    const places = ["a.png", "sub/b.png", "ein Bild #1 ü%20.png"].map((name) => `outputs/id-1/2/${name}`);
    expect(await keys()).toEqual([...places, "results/id-1.json"].sort());
    expect(delivered.map(({ location }) => location)).toEqual(places.map((key) => ({ bucket, key })));
    for (const key of places) expect(await text(key)).toBe("pixels");
  });

  test("with their content types", async () => {
    await outputsTo().deliver([output({ name: "v.mp4", contentType: "video/mp4" })], target());
    const typeOf = async (Key: string) =>
      (await client.send(new HeadObjectCommand({ Bucket: bucket, Key }))).ContentType;
    expect(await typeOf("outputs/id-1/2/v.mp4")).toBe("video/mp4");
    expect(await typeOf("results/id-1.json")).toBe("application/json");
  });

  test("the prefix stands before every key, as it is", async () => {
    await outputsTo({ S3_PREFIX: "team-a/x-" }).deliver([output()], target());
    expect(await keys()).toEqual(["team-a/x-outputs/id-1/2/a.png", "team-a/x-results/id-1.json"]);
  });

  test("the result document comes last and names each output without its link", async () => {
    const { store: recorded, written } = recording();
    const outputs = [output(), output({ name: "b.png" })];
    await outputsTo({ S3_PRESIGN_SECONDS: 60 }, recorded).deliver(outputs, target());
    expect(written.toSorted()).toEqual(["outputs/id-1/2/a.png", "outputs/id-1/2/b.png", "results/id-1.json"]);
    expect(written.at(-1)).toBe("results/id-1.json");
    expect(JSON.parse(await text("results/id-1.json"))).toEqual({
      id: "id-1",
      status: "succeeded",
      attempt: 2,
      outputs: ["a.png", "b.png"].map((name) => ({
        node_id: "9",
        name,
        type: "image",
        content_type: "image/png",
        size_bytes: 6,
        sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
        bucket,
        key: `outputs/id-1/2/${name}`,
      })),
    });
  });

  test("a link reads the output", async () => {
    const [delivered] = await outputsTo({ S3_PRESIGN_SECONDS: 60 }).deliver(
      [output({ name: "ein Bild #1.png" })],
      target(),
    );
    const { url } = delivered!.location!;
    expect(url).toContain("X-Amz-Expires=60");
    const answer = await fetch(url!);
    expect([answer.status, await answer.text()]).toEqual([200, "pixels"]);
  });

  test("nothing produced still leaves a result", async () => {
    expect(await outputsTo().deliver([], target())).toEqual([]);
    expect(await keys()).toEqual(["results/id-1.json"]);
  });

  test("an upload that fails leaves no result", async () => {
    const failing: ObjectStore = {
      ...store,
      putOnce: (_bucket, key, ...rest) => store.putOnce("no-such-bucket", key, ...rest),
    };
    const error = await rejectionOf(outputsTo({}, failing).deliver([output()], target()));
    expect(error).toMatchObject({ code: "upload_failed", details: { key: "outputs/id-1/2/a.png" } });
    expect(await keys()).toEqual([]);
  });
});

describe("with the request's bucket", () => {
  const s3 = (prefix: string) => ({ s3: { bucket, prefix } });

  test.each([
    ["", ["id-1_a.png", "id-1_sub_b.png"]],
    ["team/", ["team/id-1_a.png", "team/id-1_sub_b.png"]],
    ["team-", ["team-id-1_a.png", "team-id-1_sub_b.png"]],
  ])("prefix %j and file name are put together as they are", async (prefix, expected) => {
    const outputs = [output(), output({ name: "sub/b.png" })];
    const delivered = await outputsTo().deliver(outputs, target(s3(prefix)));
    expect(delivered.map(({ location }) => location?.key)).toEqual(expected);
    expect(await keys()).toEqual([...expected, "results/id-1.json"].sort());
    const document = JSON.parse(await text("results/id-1.json"));
    expect(document.outputs).toMatchObject(expected.map((key) => ({ bucket, key })));
  });

  test("names that folders made equal do not overwrite one another", async () => {
    const outputs = [output({ name: "x/a.png" }), output({ name: "x_a.png", bytes: Buffer.from("other") })];
    await outputsTo().deliver(outputs, target(s3("")));
    expect(await keys()).toEqual(["id-1_x_a-2.png", "id-1_x_a.png", "results/id-1.json"]);
    expect(await text("id-1_x_a-2.png")).toBe("other");
  });

  test("it needs no bucket of the operator's", async () => {
    await outputsTo({ S3_BUCKET: undefined }).deliver([output()], target(s3("")));
    expect(await keys()).toEqual(["id-1_a.png"]);
  });
});

describe("what is returned inline", () => {
  const ofBytes = (...sizes: number[]) =>
    sizes.map((size, index) => output({ name: `${index}`, bytes: Buffer.alloc(size) }));
  const LIMIT = 2000;
  const limited = (given: object = {}) => outputsTo({ INLINE_MAX_MB: LIMIT / 1e6, ...given });

  test("is left as it is where there is no bucket", async () => {
    const artifacts = [output()];
    expect(await outputsTo({ S3_BUCKET: undefined }).deliver(artifacts, target())).toBe(artifacts);
  });

  test.each<[string, object, Partial<Delivery>]>([
    ["without a bucket", { S3_BUCKET: undefined }, {}],
    ["with a bucket, where the answer carries the bytes too", {}, { isInline: true }],
  ])("may have the limit together, and not a byte more: %s", async (_name, given, delivery) => {
    const { deliver } = limited(given);
    await expect(deliver(ofBytes(1500, LIMIT - 1500), target(delivery))).resolves.toHaveLength(2);
    const error = await rejectionOf(deliver(ofBytes(1500, LIMIT - 1499), target(delivery)));
    expect(error.code).toBe("output_too_large");
  });

  test.each<[string, Partial<Delivery>]>([
    ["the operator's", {}],
    ["the request's", { s3: { bucket: "named-below", prefix: "" } }],
  ])("has no limit where it goes to a bucket: %s", async (_name, { s3 }) => {
    const delivery = s3 ? { s3: { ...s3, bucket } } : {};
    await expect(limited().deliver(ofBytes(LIMIT + 1), target(delivery))).resolves.toHaveLength(1);
  });

  test("is refused before anything is uploaded", async () => {
    await rejectionOf(limited().deliver(ofBytes(LIMIT + 1), target({ isInline: true })));
    expect(await keys()).toEqual([]);
  });
});
