import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { type RunningEndpoint, startEndpoint } from "../support/endpoint.ts";
import { HEADERS } from "../support/model-headers.ts";
import { quickTxt2Img } from "../support/payloads.ts";
import { safetensorsFile } from "../support/safetensors.ts";

const model = (name: keyof typeof HEADERS) => safetensorsFile(HEADERS[name]);
/** Files that ComfyUI lists and that have nothing but a header. The first checkpoint, which warms up, stays one that draws. */
const FILES: Readonly<Record<string, Buffer>> = {
  "checkpoints/z-sdxl.safetensors": model("sdxl"),
  "checkpoints/z-refiner.safetensors": model("sdxlRefiner"),
  "checkpoints/z-sd3.safetensors": model("sd3"),
  "diffusion_models/flux.safetensors": model("flux"),
  "diffusion_models/sd3-alone.safetensors": model("sd3Bare"),
  "diffusion_models/chroma.safetensors": model("chroma"),
  "diffusion_models/qwen.safetensors": model("qwenImage"),
  "text_encoders/clip_l.safetensors": model("textEncoder"),
  "text_encoders/clip_g.safetensors": model("textEncoder"),
  "text_encoders/t5.safetensors": model("textEncoder"),
  "vae/ae.safetensors": model("vae"),
  "loras/noted.safetensors": safetensorsFile(HEADERS.lora, { ss_output_name: "alias", sshs_model_hash: "ab" }),
};

let endpoint: RunningEndpoint;
beforeAll(async () => {
  const root = mkdtempSync(join(tmpdir(), "model-kinds-"));
  for (const [name, content] of Object.entries(FILES)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), content);
  }
  const folders = [...new Set(Object.keys(FILES).map((name) => dirname(name)))];
  const config = join(root, "models.yaml");
  writeFileSync(config, `kinds:\n  base_path: ${root}\n${folders.map((name) => `  ${name}: ${name}\n`).join("")}`);
  const stops: (() => Promise<void>)[] = [];
  endpoint = await startEndpoint({ COMFYUI_ARGS: `--extra-model-paths-config ${config}` }, (stop) => stops.push(stop));
  return async () => {
    for (const stop of stops) await stop();
    rmSync(root, { recursive: true });
  };
});

const modules = (...names: string[]) => ({ override_settings: { forge_additional_modules: names } });

/** The graph is good where what fails is that a loader finds no tensors in the file. */
test.each<[checkpoint: string, loader: string, body: object]>([
  ["z-sdxl", "CheckpointLoaderSimple", { width: 77, clip_skip: 2 }],
  ["z-sdxl", "CheckpointLoaderSimple", { steps: 4, refiner_checkpoint: "z-refiner", refiner_switch_at: 0.5 }],
  ["z-sdxl", "CheckpointLoaderSimple", { enable_hr: true, hr_scale: 1.3 }],
  ["z-sd3", "CheckpointLoaderSimple", {}],
  ["sd3-alone", "UNETLoader|TripleCLIPLoader|VAELoader", modules("ae", "clip_l", "clip_g", "t5")],
  ["flux", "UNETLoader|DualCLIPLoader|VAELoader", { cfg_scale: 1, ...modules("ae", "clip_l", "t5") }],
  ["flux", "UNETLoader|DualCLIPLoader|VAELoader", { cfg_scale: 2, ...modules("ae", "clip_l", "t5") }],
  ["chroma", "UNETLoader|CLIPLoader|VAELoader", modules("ae", "t5")],
  ["qwen", "UNETLoader|CLIPLoader|VAELoader", modules("ae", "t5")],
])("ComfyUI takes the graph for %s, whose %s then finds nothing in it, with %j", async (checkpoint, loader, body) => {
  const { override_settings = {} } = body as { override_settings?: object };
  const request = { ...body, override_settings: { ...override_settings, sd_model_checkpoint: checkpoint } };
  const response = await endpoint.post("/sdapi/v1/txt2img", quickTxt2Img(request));
  const text = await response.text();
  expect(response.status, text).toBe(500);
  expect(text).toMatch(new RegExp(`"(${loader})"`));
});

test("the lists tell what ComfyUI's model folders hold", async () => {
  const list = async (path: string) => (await (await fetch(`${endpoint.url}/sdapi/v1/${path}`)).json()) as object[];
  expect(await list("sd-models")).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ model_name: "z-sdxl", filename: expect.stringMatching(/\/checkpoints\/z-sdxl/) }),
      expect.objectContaining({ model_name: "flux", filename: expect.stringMatching(/\/diffusion_models\/flux/) }),
    ]),
  );
  expect(await list("loras")).toEqual(
    expect.arrayContaining([expect.objectContaining({ name: "noted", alias: "alias" })]),
  );
  expect(await list("embeddings")).toMatchObject({ loaded: { "tiny-embedding": { shape: 768 } } });
});
