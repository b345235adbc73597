import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { RunningEndpoint } from "../../support/endpoint.ts";
import { colourGraph, quickTxt2Img, WORKER_KILLERS } from "../../support/payloads.ts";
import { decode, pngText } from "../../support/pictures.ts";
import { draw, sharedEndpoint } from "../../support/sdapi.ts";

let endpoint: RunningEndpoint;
const dataDir = mkdtempSync(join(tmpdir(), "comfy-endpoint-test-"));
beforeAll(() =>
  sharedEndpoint(
    (running) => {
      endpoint = running;
    },
    { DATA_DIR: dataDir },
  ),
);
afterAll(() => rmSync(dataDir, { recursive: true, force: true }));

const txt2img = (body: Record<string, unknown>) => draw(endpoint, "txt2img", quickTxt2Img(body));

test("txt2img gives the size, the count and the seeds that were asked for, and the same picture for the same seed", async () => {
  const { pictures, info } = await txt2img({ batch_size: 2, n_iter: 2, width: 72, seed: 11 });
  expect(pictures.map(({ width, height }) => [width, height])).toEqual(Array(4).fill([72, 64]));
  expect(info).toMatchObject({ seed: 11, all_seeds: [11, 12, 13, 14], width: 72, height: 64 });
  const [first, second, third] = pictures.map(({ data }) => data);
  const alone = async (seed: number) => (await txt2img({ width: 72, seed })).pictures[0]!.data;

  expect((await alone(11)).equals(first!), "seed 11 twice").toBe(true);
  expect((await alone(13)).equals(third!), "picture 2 of a batch is the picture of seed + 2").toBe(true);
  expect(second!.equals(first!), "another seed").toBe(false);
});

test("a 64-bit seed of a raw graph reaches the engine digit for digit", async () => {
  const seed = "18446744073709551615";
  const graph = {
    ...colourGraph(0),
    "1": { class_type: "CheckpointLoaderSimple", inputs: { ckpt_name: "tiny-sd15.safetensors" } },
    "3": { class_type: "CLIPTextEncode", inputs: { text: "a cat", clip: ["1", 1] } },
    "4": { class_type: "EmptyLatentImage", inputs: { width: 64, height: 64, batch_size: 1 } },
    "5": {
      class_type: "KSampler",
      inputs: {
        model: ["1", 0],
        positive: ["3", 0],
        negative: ["3", 0],
        latent_image: ["4", 0],
        seed: 0,
        steps: 1,
        cfg: 1,
        sampler_name: "euler",
        scheduler: "normal",
        denoise: 1,
      },
    },
    "6": { class_type: "VAEDecode", inputs: { samples: ["5", 0], vae: ["1", 2] } },
    "2": { class_type: "SaveImage", inputs: { images: ["6", 0], filename_prefix: "big" } },
  };
  const response = await endpoint.post(
    "/prompt",
    JSON.stringify({ prompt: graph }).replace('"seed":0', `"seed":${seed}`),
  );
  const body = await response.text();
  expect(response.status, body).toBe(200);
  expect(body).toContain(`"seed":${seed}`);
  const [picture = ""] = (JSON.parse(body) as { images: string[] }).images;
  // What SaveImage wrote into the file is what the engine had in its hands.
  expect(await pngText(Buffer.from(picture, "base64"), "prompt")).toContain(seed);
});

test("outputs in a sub-folder are delivered, twice the same graph too, and nothing stays on disk", async () => {
  for (const attempt of [1, 2]) {
    const response = await endpoint.post("/prompt", {
      id: `job${attempt}`,
      prompt: colourGraph(0x336699, { filename_prefix: "deep/er/name" }),
    });
    const body = (await response.json()) as { images: string[]; filenames: string[] };
    expect(response.status, JSON.stringify(body)).toBe(200);
    expect(body.filenames).toEqual([`job${attempt}_deep_er_name_00001_.png`]);
    const { data } = await decode(Buffer.from(body.images[0]!, "base64"));
    expect([...data.subarray(0, 3)]).toEqual([0x33, 0x66, 0x99]);
  }
  await vi.waitFor(() => expect(readdirSync(join(dataDir, "output"))).toEqual([]));
});

test("what cannot run is refused with 422 that names the node, and the engine lives on", async () => {
  const cases = [
    {
      name: "an unknown class",
      graph: { ...colourGraph(0), "7": { class_type: "SavImage", inputs: {} } },
      node: { node_id: "7", class_type: "SavImage" },
    },
    {
      name: "a wrong type",
      graph: {
        ...colourGraph(0),
        "1": { class_type: "EmptyImage", inputs: { width: "wide", height: 64, batch_size: 1, color: 0 } },
      },
      node: { node_id: "1", class_type: "EmptyImage", input: "width", received: "wide" },
    },
    {
      name: "a prefix that escapes",
      graph: colourGraph(0, { filename_prefix: "../../etc/x" }),
      node: { node_id: "2", input: "filename_prefix" },
    },
    {
      name: "a file outside the input folder",
      graph: { ...colourGraph(0), "1": { class_type: "LoadImage", inputs: { image: "/etc/logo.png" } } },
      node: { node_id: "1", class_type: "LoadImage", input: "image" },
    },
    ...WORKER_KILLERS.map(({ name, graph, nodeId }) => ({ name, graph, node: { node_id: nodeId } })),
  ];
  for (const { name, graph, node } of cases) {
    const response = await endpoint.post("/prompt", { prompt: graph });
    const body = await response.json();
    expect(response.status, name).toBe(422);
    expect(body, name).toMatchObject({
      error: {
        code: "invalid_workflow",
        retryable: false,
        details: { nodes: expect.arrayContaining([expect.objectContaining(node)]) },
      },
    });
  }
  const good = await endpoint.post("/prompt", { prompt: colourGraph(1) });
  expect(good.status).toBe(200);
});

test("a node that raises is an execution_error with node, class, exception type and message", async () => {
  // Text where a picture belongs passes ComfyUI's validation and fails in the node.
  const graph = {
    "1": { class_type: "ImageInvert", inputs: { image: "no picture" } },
    "2": { class_type: "SaveImage", inputs: { images: ["1", 0], filename_prefix: "x" } },
  };
  const response = await endpoint.post("/prompt", { prompt: graph });
  expect(response.status).toBe(500);
  expect(await response.json()).toMatchObject({
    error: {
      code: "execution_error",
      retryable: false,
      message: expect.stringContaining("ImageInvert"),
      details: {
        node_id: "1",
        class_type: "ImageInvert",
        exception_type: expect.stringMatching(/Error$/),
        exception_message: expect.stringMatching(/./),
      },
    },
  });
});
