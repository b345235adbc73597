/** The real Dockerfile's image for a laptop, with a real ComfyUI: built with a custom node, and run as its user. */
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { installRealEngine } from "../engine/install.ts";
import { decode } from "../support/pictures.ts";
import { ROOT } from "../support/source-files.ts";
import { buildImage } from "./build.ts";
import { whyNoBuilds } from "./buildah.ts";
import { commitFolder, TORCH } from "./comfyui.ts";
import { Container, type Served } from "./container.ts";

const obstacle = await whyNoBuilds();

const REPOSITORIES = "/mnt/repositories";
/** What `.gitignore` of ComfyUI leaves out, and ComfyUI's repository has. */
const FORCED = ["models/*/put_*", "custom_nodes/websocket_image_save.py"];

describe.skipIf(obstacle !== undefined)("the image with a real ComfyUI on the CPU", () => {
  let scratch: string;
  let version: string;
  let models: string;
  let container: Container;
  let served: Served;

  /** Builds `cpu` with one custom node, by the lock file. */
  async function build(node: string): Promise<Awaited<ReturnType<typeof buildImage>>> {
    const context = join(scratch, `context-${node}`);
    const repository = join(scratch, "repositories", `${node}.git`);
    const commit = await commitFolder(join(import.meta.dirname, "nodes", node), repository);
    const inputs = ["Dockerfile", ".dockerignore", "package.json", "package-lock.json"];
    for (const path of [...inputs, "handler", "runtime", "workflows", "image"])
      await cp(join(ROOT, path), join(context, path), { recursive: true });
    const lock = [{ name: node, repo: `file://${REPOSITORIES}/${node}.git`, commit }];
    await writeFile(join(context, "nodes.lock.json"), JSON.stringify(lock));
    const COMFYUI_COMMIT = (await readFile(join(scratch, "commit"), "utf8")).trim();
    return buildImage({
      target: "cpu",
      stages: ["handler", "source"],
      context,
      volumes: [{ source: join(scratch, "repositories"), target: REPOSITORIES }],
      args: {
        ...TORCH,
        TORCH_INDEX: "",
        COMFYUI_REPOSITORY: `file://${REPOSITORIES}/comfyui.git`,
        COMFYUI_VERSION: version,
        COMFYUI_COMMIT,
      },
    });
  }

  beforeAll(async () => {
    const engine = await installRealEngine();
    version = engine.version;
    models = /base_path: (.*)/.exec(await readFile(engine.modelsConfig, "utf8"))![1]!;
    scratch = await mkdtemp(join(tmpdir(), "comfy-endpoint-image-"));
    await mkdir(join(scratch, "repositories"));
    const commit = await commitFolder(engine.home, join(scratch, "repositories", "comfyui.git"), FORCED);
    await writeFile(join(scratch, "commit"), commit);

    const built = await build("greyscale");
    container = await Container.create(built, { OMP_NUM_THREADS: "1" }, [
      { source: join(models, "checkpoints"), target: "/opt/ComfyUI/models/checkpoints" },
      { source: join(models, "upscale_models"), target: "/runpod-volume/models/upscale_models" },
    ]);
    served = container.start();
    await served.ready();
    return async () => {
      await container.remove();
      await rm(scratch, { recursive: true, force: true });
    };
  });

  const post = (path: string, body: unknown) =>
    fetch(served.url + path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });

  test("ComfyUI starts and warms up without a word of alarm, as a user who cannot write its code", async () => {
    expect(served.log).toContain(`ComfyUI version: ${version}`);
    expect(served.log).not.toMatch(/ERROR|Traceback|Permission denied|IMPORT FAILED/);
    expect(await container.exec("id", "-u")).toEqual({ code: 0, output: "10001\n" });
    const { output } = await container.exec("find", "/opt", "/app", "-writable", "-not", "-type", "l");
    expect(output.trim().split("\n")).toEqual(["/opt/ComfyUI/user"]);
    // Where Python's libraries keep what they fetch.
    expect(await container.exec("sh", "-c", "mkdir -p ~/.cache/huggingface")).toEqual({ code: 0, output: "" });
  });

  test("it says which ComfyUI and which PyTorch it has", () => {
    expect(container.config.Labels).toMatchObject({
      "comfyui.version": version,
      "comfyui.commit": expect.stringMatching(/^[0-9a-f]{40}$/),
      "torch.version": TORCH.TORCH_VERSION,
      "torch.cuda": "none",
    });
  });

  test("it draws a txt2img with a mounted model", async () => {
    const response = await post("/sdapi/v1/txt2img", { prompt: "a lighthouse", steps: 2, width: 64, height: 64 });
    expect(response.status).toBe(200);
    const { images } = (await response.json()) as { images: string[] };
    const { width, height, data } = await decode(Buffer.from(images[0]!, "base64"));
    expect({ width, height }).toEqual({ width: 64, height: 64 });
    expect(new Set(data).size).toBeGreaterThan(16);
  });

  test("it finds the models of RunPod's network volume", async () => {
    const upscalers = (await (await fetch(`${served.url}/sdapi/v1/upscalers`)).json()) as { name: string }[];
    expect(upscalers.map(({ name }) => name)).toContain("tiny-2x");
  });

  test("it runs the custom node of the lock file", async () => {
    const prompt = {
      "1": { class_type: "EmptyImage", inputs: { width: 64, height: 64, batch_size: 1, color: 0xff0000 } },
      "2": { class_type: "Greyscale", inputs: { image: ["1", 0] } },
      "3": { class_type: "SaveImage", inputs: { images: ["2", 0], filename_prefix: "grey" } },
    };
    const response = await post("/prompt", { prompt });
    expect(response.status).toBe(200);
    const { images } = (await response.json()) as { images: string[] };
    const { data } = await decode(Buffer.from(images[0]!, "base64"));
    expect([...data.subarray(0, 3)]).toEqual([85, 85, 85]);
  });

  test("SIGTERM ends it and ComfyUI with code 0", async () => {
    served.signal("SIGTERM");
    expect(await served.exited, served.log).toBe(0);
  });

  test("no image is made with a node that ComfyUI cannot import", async () => {
    await expect(build("broken")).rejects.toThrow(/IMPORT FAILED.*broken/);
  });
});
