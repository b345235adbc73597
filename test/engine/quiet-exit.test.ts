import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { startEndpoint } from "../support/endpoint.ts";
import { colourGraph } from "../support/payloads.ts";

test("a worker thread that ends without a word in mid-prompt is noticed, and the next invocation served", async () => {
  const folder = mkdtempSync(join(tmpdir(), "comfy-endpoint-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const paths = join(folder, "nodes.yaml");
  writeFileSync(paths, `test:\n  custom_nodes: ${join(import.meta.dirname, "nodes")}\n`);
  const endpoint = await startEndpoint({ COMFYUI_ARGS: `--extra-model-paths-config ${paths}` });

  const response = await endpoint.post("/prompt", { prompt: { "1": { class_type: "QuietExit", inputs: {} } } });
  expect(response.status).toBe(502);
  expect(await response.json()).toMatchObject({
    error: { code: "comfyui_exited", message: expect.stringContaining("worker thread") },
  });
  expect((await endpoint.post("/prompt", { prompt: colourGraph(1) })).status).toBe(200);
});
