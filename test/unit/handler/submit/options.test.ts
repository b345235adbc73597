import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { readSubmission } from "../../../../handler/submit/options.ts";

const QUEUE = "https://sqs.eu-central-1.amazonaws.com/123456789012/jobs";
const read = (...args: string[]) => readSubmission(["order.json", "--queue", QUEUE, "--bucket", "pictures", ...args])!;

beforeEach(() => {
  for (const name of ["AWS_REGION", "AWS_DEFAULT_REGION", "SQS_QUEUE_URL", "S3_BUCKET"]) vi.stubEnv(name, undefined);
});
afterEach(() => vi.unstubAllEnvs());

test("a file, a queue and a bucket are enough: the bucket is where the queue is, and the wait is half an hour", () => {
  expect(read()).toMatchObject({ source: "order.json", queueUrl: QUEUE, waitSeconds: 1800, outDir: undefined });
  expect(read().config).toMatchObject({ S3_BUCKET: "pictures", AWS_REGION: "eu-central-1" });
});

test.each(["AWS_REGION", "AWS_DEFAULT_REGION"])("a region that the environment names by %s is the bucket's", (name) => {
  vi.stubEnv(name, "us-west-2");
  expect(read().config.AWS_REGION).toBe("us-west-2");
});

test("a queue elsewhere says nothing of a region", () => {
  expect(read("--queue", "http://localhost:4566/000000000000/jobs").config.AWS_REGION).toBe("us-east-1");
});

test("the command line stands above the environment; who does not wait needs no bucket", () => {
  vi.stubEnv("SQS_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/123456789012/others");
  vi.stubEnv("S3_BUCKET", "others");
  expect(read("--wait", "2.5")).toMatchObject({ queueUrl: QUEUE, waitSeconds: 2.5, config: { S3_BUCKET: "pictures" } });
  vi.stubEnv("S3_BUCKET", undefined);
  expect(readSubmission(["-", "--no-wait"])).toMatchObject({ source: "-", waitSeconds: undefined });
});

test.each([["--wait", "-1"], ["--wait", ""], ["--wait", "2000001"], ["second.json"]])("refused: %s %s", (...args) => {
  expect(() => read(...args)).toThrow();
});
