import { startFauxqs } from "fauxqs";
import { afterAll, expect, test } from "vitest";
import { Results } from "../../../../handler/outputs/results.ts";
import { type ObjectStore, openObjectStore } from "../../../../handler/outputs/s3.ts";
import { EndpointError } from "../../../../runtime/errors.ts";
import { output } from "../../../support/completed.ts";
import { rejectionOf } from "../../../support/thrown.ts";

const never = new AbortController().signal;
const aws = await startFauxqs({ port: 0, logger: false });
afterAll(() => aws.stop());
aws.createBucket("pictures");
const store = await openObjectStore({
  AWS_ENDPOINT_URL: `http://127.0.0.1:${aws.port}`,
  AWS_REGION: "us-east-1",
  AWS_ACCESS_KEY_ID: "id",
  AWS_SECRET_ACCESS_KEY: "secret",
  AWS_SESSION_TOKEN: undefined,
});
const results = new Results("pictures", "team/", async () => store);

test("a document is found as it was written, and names no links, which end", async () => {
  expect(await results.find("a", never)).toBe(undefined);
  const delivered = { ...output(), location: { bucket: "other", key: "k", url: "https://link" } };
  await results.writeSuccess({ id: "a", attempt: 2, outputs: [delivered] }, never);
  const found = await results.find("a", never);
  expect(found).toMatchObject({ id: "a", status: "succeeded", attempt: 2, outputs: [{ bucket: "other", key: "k" }] });
  expect(JSON.stringify(found)).not.toContain("https://link");
});

test("crashes are counted for each id", async () => {
  expect(await results.crashes("killer", never)).toBe(0);
  expect(await results.countCrash("killer", never)).toBe(1);
  expect(await results.countCrash("killer", never)).toBe(2);
  expect(await results.crashes("killer", never)).toBe(2);
  expect(await results.crashes("other", never)).toBe(0);
});

test.each([
  ["AccessDenied", undefined],
  ["NoSuchBucket", "download_failed"],
])("where S3 says %s of a document, it is taken for: %s", async (reason, code) => {
  const failing: ObjectStore = {
    ...store,
    get: async () => {
      throw new EndpointError("download_failed", "no", { details: { reason } });
    },
  };
  const found = new Results("pictures", "", async () => failing).find("a", never);
  if (code === undefined) expect(await found).toBe(undefined);
  else expect(await rejectionOf(found)).toMatchObject({ code });
});

test.each([
  ["pictures", "team/results/a.json", true],
  ["pictures", "team/outputs/a/1/b.png", true],
  ["pictures", "team/crashes/a.json", true],
  ["pictures", "team/in/a.json", false],
  ["pictures", "results/a.json", false],
  ["other", "team/results/a.json", false],
])("%s/%s is our own: %s", (bucket, key, isOwn) => {
  expect(results.isOwn(bucket, key)).toBe(isOwn);
});
