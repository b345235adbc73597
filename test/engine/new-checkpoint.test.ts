import { linkSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { startEndpoint } from "../support/endpoint.ts";
import { quickTxt2Img } from "../support/payloads.ts";

const { modelsConfig } = JSON.parse(process.env["ENGINE_UNDER_TEST"]!) as { modelsConfig: string };
const base = readFileSync(modelsConfig, "utf8").match(/base_path: *"?([^"\n]+)/)![1]!;

test("a checkpoint that was added while the worker ran can be asked for at once", async () => {
  const endpoint = await startEndpoint();
  await endpoint.ready();
  const request = quickTxt2Img({ override_settings: { sd_model_checkpoint: "added-later" } });
  expect((await endpoint.post("/sdapi/v1/txt2img", request)).status).toBe(404);

  const file = join(base, "checkpoints", "added-later.safetensors");
  linkSync(join(base, "checkpoints", "tiny-sd15.safetensors"), file);
  onTestFinished(() => rmSync(file));
  const response = await endpoint.post("/sdapi/v1/txt2img", request);
  expect(response.status, await response.clone().text()).toBe(200);
});
