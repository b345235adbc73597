import { expect, test } from "vitest";
import { readBucketAddress } from "../../../handler/bucket-address.ts";
import { loadConfig } from "../../../handler/config.ts";

test.each([
  [
    "https://pics.s3.eu-west-1.amazonaws.com",
    { bucket: "pics", endpoint: "https://s3.eu-west-1.amazonaws.com", region: "eu-west-1" },
  ],
  [
    "https://my.pics.s3.us-gov-west-1.amazonaws.com",
    { bucket: "my.pics", endpoint: "https://s3.us-gov-west-1.amazonaws.com", region: "us-gov-west-1" },
  ],
  ["https://pics.s3.amazonaws.com/", { bucket: "pics", endpoint: "https://s3.amazonaws.com" }],
  [
    "https://pics.fra1.digitaloceanspaces.com",
    { bucket: "pics", endpoint: "https://fra1.digitaloceanspaces.com", region: "fra1" },
  ],
  [
    "https://account.r2.cloudflarestorage.com/pics",
    { bucket: "pics", endpoint: "https://account.r2.cloudflarestorage.com" },
  ],
  ["http://127.0.0.1:9000/pics/", { bucket: "pics", endpoint: "http://127.0.0.1:9000" }],
  ["https://s3.eu-west-1.amazonaws.com", undefined],
  ["https://account.r2.cloudflarestorage.com", undefined],
  ["http://minio:9000", undefined],
])("%s", (address, expected) => {
  expect(readBucketAddress(address)).toEqual(expected);
});

const ADDRESS = "https://pics.s3.eu-west-1.amazonaws.com";

test("worker-comfyui's setting names the bucket and its region", () => {
  expect(loadConfig({ BUCKET_ENDPOINT_URL: ADDRESS })).toMatchObject({
    S3_BUCKET: "pics",
    AWS_ENDPOINT_URL: "https://s3.eu-west-1.amazonaws.com",
    AWS_REGION: "eu-west-1",
  });
});

test("where the bucket is set by itself, and under our own name, the address stays as it is", () => {
  expect(loadConfig({ BUCKET_ENDPOINT_URL: ADDRESS, S3_BUCKET: "b" })).toMatchObject({
    S3_BUCKET: "b",
    AWS_ENDPOINT_URL: ADDRESS,
  });
  expect(loadConfig({ AWS_ENDPOINT_URL: ADDRESS }).S3_BUCKET).toBeUndefined();
});
