import { startFauxqs } from "fauxqs";
import { expect, onTestFinished, test } from "vitest";
import { runCommand, startEndpoint } from "../support/endpoint.ts";
import { colourGraph, quickTxt2Img } from "../support/payloads.ts";
import { decode } from "../support/pictures.ts";

const CREDENTIALS = { AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "test" };

async function startBucket() {
  const server = await startFauxqs({ port: 0, logger: false });
  onTestFinished(() => server.stop());
  server.createBucket("pictures");
  const address = `http://127.0.0.1:${server.port}`;
  return {
    settings: { ...CREDENTIALS, AWS_ENDPOINT_URL: address, S3_BUCKET: "pictures", S3_PREFIX: "team/" },
    get: (key: string) => fetch(`${address}/pictures/${key}`),
  };
}

test("outputs land under the documented keys with their content types, and the result document names them", async () => {
  const bucket = await startBucket();
  const payload = JSON.stringify({ id: "order-7", prompt: colourGraph(0x102030, { filename_prefix: "sub/name" }) });
  const { code, stdout } = await runCommand(["invoke", "-"], bucket.settings, payload);
  expect(code).toBe(0);
  const [output] = JSON.parse(stdout).outputs;
  expect(output).toMatchObject({
    bucket: "pictures",
    key: "team/outputs/order-7/1/sub/name_00001_.png",
    content_type: "image/png",
  });
  expect(output.data).toBeUndefined();

  const stored = await bucket.get(output.key);
  expect(stored.headers.get("content-type")).toBe("image/png");
  const bytes = Buffer.from(await stored.arrayBuffer());
  expect(bytes.length).toBe(output.size_bytes);
  expect([...(await decode(bytes)).data.subarray(0, 3)]).toEqual([0x10, 0x20, 0x30]);
  expect((await fetch(output.url)).status, "the presigned link").toBe(200);

  const document = await (await bucket.get("team/results/order-7.json")).json();
  expect(document).toMatchObject({
    id: "order-7",
    status: "succeeded",
    outputs: [
      {
        bucket: "pictures",
        key: output.key,
        content_type: "image/png",
        size_bytes: bytes.length,
        sha256: output.sha256,
      },
    ],
  });
});

test("for A1111's clients S3 comes on top: the pictures stay in the answer", async () => {
  const bucket = await startBucket();
  const endpoint = await startEndpoint(bucket.settings);
  const answer = (await (await endpoint.post("/sdapi/v1/txt2img", quickTxt2Img())).json()) as {
    images: string[];
    outputs: { key: string }[];
  };
  const stored = await bucket.get(answer.outputs[0]!.key);
  expect(Buffer.from(await stored.arrayBuffer()).toString("base64")).toBe(answer.images[0]);
  const without = (await (
    await endpoint.post("/sdapi/v1/txt2img", quickTxt2Img({ send_images: false }))
  ).json()) as typeof answer;
  expect(without.images).toEqual([]);
  expect(without.outputs).toHaveLength(1);
});

test("comfyui-api's own target: prefix and name joined as they are, and the address instead of the picture", async () => {
  const bucket = await startBucket();
  const { S3_BUCKET: _, ...settings } = bucket.settings;
  const endpoint = await startEndpoint(settings);
  const response = await endpoint.post("/prompt", {
    id: "a1",
    prompt: colourGraph(1),
    s3: { bucket: "pictures", prefix: "in/" },
    convert_output: { format: "webp" },
  });
  expect(await response.json()).toMatchObject({
    images: ["s3://pictures/in/a1_ComfyUI_00001_.webp"],
    filenames: ["a1_ComfyUI_00001_.webp"],
  });
  expect((await bucket.get("in/a1_ComfyUI_00001_.webp")).headers.get("content-type")).toBe("image/webp");
});

test("a dead S3 is upload_failed with the output's name, after the retries, never a success", async () => {
  const dead = { ...CREDENTIALS, AWS_ENDPOINT_URL: "http://127.0.0.1:9", S3_BUCKET: "pictures" };
  const endpoint = await startEndpoint(dead);
  const response = await endpoint.post("/sdapi/v1/txt2img", quickTxt2Img());
  expect(response.status).toBe(502);
  expect(await response.json()).toMatchObject({
    error: "upload_failed",
    detail: expect.stringContaining("txt2img_000_00001_.png"),
  });

  const { code, stdout } = await runCommand(["invoke", "-"], dead, JSON.stringify({ prompt: colourGraph(1) }));
  expect(code, "may succeed when tried again").toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({ error: { code: "upload_failed", retryable: true } });
});
