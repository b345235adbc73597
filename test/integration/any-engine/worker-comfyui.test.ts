/** What worker-comfyui's users send and get, on our worker. */
import { startFauxqs } from "fauxqs";
import sharp from "sharp";
import { expect, onTestFinished, test } from "vitest";
import { handsOut } from "../../support/job-server.ts";
import { colourGraph, quickTxt2Img } from "../../support/payloads.ts";
import { decode } from "../../support/pictures.ts";
import { resultOf, resultsOf, startWorker } from "../../support/runpod-worker.ts";

interface Listed {
  images: { filename: string; type: string; data: string }[];
}

const LOAD_AND_SAVE = {
  "1": { class_type: "LoadImage", inputs: { image: "photo.png" } },
  "2": { class_type: "SaveImage", inputs: { images: ["1", 0], filename_prefix: "sub/result" } },
};

const colourPng = ([r, g, b]: [number, number, number]) =>
  sharp({ create: { width: 64, height: 64, channels: 3, background: { r, g, b } } })
    .png()
    .toBuffer();

const firstPixel = async (base64: string) => [...(await decode(Buffer.from(base64, "base64"))).data.subarray(0, 3)];

test("pictures that come with a job are loaded by their names, also when several jobs use the same name", async () => {
  const job = async (id: string, color: [number, number, number], prefix = "") => {
    const image = prefix + (await colourPng(color)).toString("base64");
    return { id, input: { workflow: LOAD_AND_SAVE, images: [{ name: "photo.png", image }] } };
  };
  const jobs = [await job("j1", [200, 0, 0]), await job("j2", [0, 200, 0], "data:image/png;base64,")];
  const text = await job("j3", [0, 0, 200]);
  const { server } = await startWorker({
    take: [{ json: jobs }, handsOut({ ...text, input: JSON.stringify(text.input) })],
  });
  const results = await resultsOf(server, 3);
  const pixels = await Promise.all(
    results.map(async ({ body }) => {
      const { images } = body["output"] as Listed;
      expect(images).toMatchObject([{ filename: "result_00001_.png", type: "base64" }]);
      return firstPixel(images[0]!.data);
    }),
  );
  expect(pixels).toEqual([
    [200, 0, 0],
    [0, 200, 0],
    [0, 0, 200],
  ]);
});

test("its errors have its words and their place", async () => {
  const inputs: Record<string, unknown> = {
    empty: {},
    upload: { workflow: LOAD_AND_SAVE, images: [{ name: "photo.png", image: "A" }] },
    class: { workflow: { "7": { class_type: "NoSuchNode", inputs: {} } } },
    checkpoint: {
      workflow: {
        ...colourGraph(1),
        "3": { class_type: "CheckpointLoaderSimple", inputs: { ckpt_name: "none.safetensors" } },
        "4": { class_type: "VAEDecode", inputs: { samples: ["5", 0], vae: ["3", 2] } },
        "5": { class_type: "EmptyLatentImage", inputs: { width: 64, height: 64, batch_size: 1 } },
        "6": { class_type: "SaveImage", inputs: { images: ["4", 0], filename_prefix: "x" } },
      },
    },
    preview: {
      workflow: { "1": colourGraph(1)["1"], "2": { class_type: "PreviewImage", inputs: { images: ["1", 0] } } },
    },
  };
  const take = Object.entries(inputs).map(([id, input]) => handsOut({ id, input }));
  const { server } = await startWorker({ take });
  const bodies = Object.fromEntries((await resultsOf(server, take.length)).map(({ id, body }) => [id, body]));
  expect(bodies["empty"]).toEqual({ error: "Missing 'workflow' parameter" });
  expect(bodies["upload"]).toEqual({
    error: "Failed to upload one or more input images",
    output: {
      details: [expect.stringMatching(/^Error decoding base64 for photo\.png: Invalid base64-encoded string/)],
    },
  });
  expect(bodies["class"]!["error"]).toMatch(/^Workflow validation failed:\n• Node 7 \(errors\): .*NoSuchNode/);
  expect(bodies["checkpoint"]!["error"]).toMatch(
    /^Workflow validation failed:\n• Node 3 \(errors\): ckpt_name: (.|\n)*\n\nAvailable checkpoint models: \S+/,
  );
  expect(bodies["preview"]).toEqual({ output: { status: "success_no_images", images: [] } });
});

test("its one setting for the bucket makes links of the outputs", async () => {
  const bucket = await startFauxqs({ port: 0, logger: false });
  onTestFinished(() => bucket.stop());
  bucket.createBucket("pictures");
  const settings = {
    BUCKET_ENDPOINT_URL: `http://127.0.0.1:${bucket.port}/pictures`,
    BUCKET_ACCESS_KEY_ID: "test",
    BUCKET_SECRET_ACCESS_KEY: "test",
  };
  const { server } = await startWorker(
    { take: [handsOut({ id: "j1", input: { workflow: colourGraph(0x102030) } })] },
    settings,
  );
  const [image] = ((await resultOf(server)).body["output"] as Listed).images;
  expect(image).toMatchObject({ filename: "ComfyUI_00001_.png", type: "s3_url" });
  const stored = Buffer.from(await (await fetch(image!.data)).arrayBuffer());
  expect(await firstPixel(stored.toString("base64"))).toEqual([0x10, 0x20, 0x30]);
});

test("A1111's requests come bare, as a call of its API, and in both ways that workers name one", async () => {
  const body = quickTxt2Img();
  const inputs = [
    body,
    { api: { method: "POST", endpoint: "/sdapi/v1/txt2img" }, payload: body },
    { sdapi: { path: "/sdapi/v1/txt2img", method: "POST", body } },
  ];
  const { server } = await startWorker({ take: inputs.map((input, index) => handsOut({ id: `j${index}`, input })) });
  const results = await resultsOf(server, inputs.length);
  const pictures = results.map(({ body: { output } }) => (output as { images: string[] }).images[0]!);
  // Not the files: the text in them has the checkpoint's hash once that is known.
  const pixels = await Promise.all(
    pictures.map(async (picture) => (await decode(Buffer.from(picture, "base64"))).data),
  );
  expect(pixels[0]!.length).toBeGreaterThan(64 * 64);
  for (const other of pixels.slice(1)) expect(other.equals(pixels[0]!)).toBe(true);
});
