/** The real Dockerfile with the emulator in ComfyUI's place: built, and run as its user. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { startAws } from "../support/aws.ts";
import { colourGraph } from "../support/payloads.ts";
import { decode } from "../support/pictures.ts";
import { buildImage, imageName } from "./build.ts";
import { whyNoBuilds } from "./buildah.ts";
import { Container, type Served } from "./container.ts";

const obstacle = await whyNoBuilds();
if (obstacle !== undefined) console.warn(`NO IMAGE IS BUILT: ${obstacle}`);

describe.skipIf(obstacle !== undefined)("the image with the emulator", () => {
  let built: Awaited<ReturnType<typeof buildImage>>;
  beforeAll(async () => {
    const args = { COMFY_STAGE: "emulator", REVISION: "tried" };
    built = await buildImage({ target: "runtime", stages: ["handler"], args });
  });

  describe("one container", () => {
    let container: Container;
    let served: Served;
    beforeAll(async () => {
      container = await Container.create(built, {});
      served = container.start();
      await served.ready();
      return () => container.remove();
    });

    test("runs as a user who is not root and cannot write what it runs", async () => {
      expect(await container.exec("id", "-u")).toEqual({ code: 0, output: "10001\n" });
      const write = (path: string) => container.exec("touch", `${path}/x`);
      const denied = await Promise.all(["/app", "/app/node_modules", "/opt", "/opt/venv", "/usr/local/bin"].map(write));
      expect(denied.filter(({ output }) => !output.includes("Permission denied"))).toEqual([]);
      const allowed = await Promise.all(["/data", "/data/input", "/tmp"].map(write));
      expect(allowed).toEqual(Array(3).fill({ code: 0, output: "" }));
    });

    test("says what it was made from", () => {
      const { Labels: labels } = container.config;
      expect(labels).toMatchObject({ "org.opencontainers.image.revision": "tried" });
      expect(labels["org.opencontainers.image.base.name"]).toContain("stand-in");
    });

    test("draws a txt2img that comes by HTTP", async () => {
      const response = await fetch(`${served.url}/sdapi/v1/txt2img`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ prompt: "a lighthouse", steps: 2, width: 64, height: 64 }),
      });
      expect(response.status).toBe(200);
      const { images } = (await response.json()) as { images: string[] };
      expect(await decode(Buffer.from(images[0]!, "base64"))).toMatchObject({ width: 64, height: 64 });
    });

    test("is healthy by its own check until a SIGTERM, which ends it with code 0", async () => {
      const check = container.config.Healthcheck.Test;
      expect(check[0]).toBe("CMD");
      expect(await container.exec(...check.slice(1))).toEqual({ code: 0, output: "" });
      served.signal("SIGTERM");
      expect(await served.exited, served.log).toBe(0);
      expect((await container.exec(...check.slice(1))).code).toBe(1);
    });
  });

  test("takes a message of an SQS queue, and puts its picture into the bucket", async () => {
    const aws = await startAws();
    const container = await Container.create(built, { ...aws.settings, HANDLER_MODE: "sqs" });
    onTestFinished(() => container.remove());
    const served = container.start();
    aws.fauxqs.sendMessage("jobs", JSON.stringify({ id: "order-7", prompt: colourGraph(0x336699) }));
    await aws.empty("jobs");
    const document = await aws.read("results/order-7.json");
    expect(document).toMatchObject({ status: "succeeded", outputs: [{ content_type: "image/png" }] });
    const { outputs } = document as { outputs: { key: string }[] };
    expect(await aws.keys("outputs/order-7/")).toEqual([outputs[0]!.key]);
    served.signal("SIGTERM");
    expect(await served.exited, served.log).toBe(0);
  });

  test("models that are baked in lie below the handler", async () => {
    const { buildah, image: below } = await buildImage({ target: "emulator", stages: [], args: {} });
    const folder = await mkdtemp(join(tmpdir(), "comfy-endpoint-models-"));
    const place = "/opt/ComfyUI/models/checkpoints/";
    await writeFile(join(folder, "Dockerfile"), `FROM ${below}\nCOPY tiny.safetensors ${place}\n`);
    await writeFile(join(folder, "tiny.safetensors"), "weights");
    const withModel = imageName("baked");
    await buildah.build({ context: folder, image: withModel });
    await rm(folder, { recursive: true });

    const above = await buildImage({ target: "runtime", stages: [], args: { COMFY_STAGE: withModel } });
    const container = await Container.create(above, {});
    onTestFinished(() => container.remove());
    expect(await container.exec("cat", `${place}tiny.safetensors`)).toEqual({ code: 0, output: "weights" });
    expect(await container.exec("node", "/app/handler.mjs", "check")).toMatchObject({ code: 0 });
  });
});
