import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { ModelFiles } from "../../../runtime/model-files.ts";

const CONTENT = "weights";
const HASH = createHash("sha256").update(CONTENT).digest("hex");
const NOTED = "AB".repeat(32);

function modelFolder(files: Record<string, string>): { root: string; models: ModelFiles } {
  const root = mkdtempSync(join(tmpdir(), "models-"));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(root, name, ".."), { recursive: true });
    writeFileSync(join(root, name), content);
  }
  return { root, models: new ModelFiles(() => ({ checkpoints: [join(root, "absent"), root] })) };
}

test("a hash is computed off the way, and known afterwards", async () => {
  const { root, models } = modelFolder({ "sub/a.safetensors": CONTENT });
  expect(models.path("checkpoints", "sub/a.safetensors")).toBe(join(root, "sub/a.safetensors"));
  expect(models.sha256("checkpoints", "sub/a.safetensors")).toBeUndefined();
  await models.settled();
  expect(models.sha256("checkpoints", "sub/a.safetensors")).toBe(HASH);
});

test.each(["a.safetensors.sha256", "a.sha256"])("%s beside the model is believed at once", (sidecar) => {
  const { models } = modelFolder({ "a.safetensors": CONTENT, [sidecar]: `${NOTED}  a.safetensors\n` });
  expect(models.sha256("checkpoints", "a.safetensors")).toBe(NOTED.toLowerCase());
});

test("a file that changes is hashed again", async () => {
  const { root, models } = modelFolder({ "a.ckpt": "before" });
  models.sha256("checkpoints", "a.ckpt");
  await models.settled();
  writeFileSync(join(root, "a.ckpt"), CONTENT);
  expect(models.sha256("checkpoints", "a.ckpt")).toBeUndefined();
  await models.settled();
  expect(models.sha256("checkpoints", "a.ckpt")).toBe(HASH);
});

test("what lies on no disk of ours has neither path nor hash", () => {
  const { models } = modelFolder({});
  expect(models.path("checkpoints", "b.ckpt")).toBeUndefined();
  expect(models.sha256("checkpoints", "b.ckpt")).toBeUndefined();
  expect(models.sha256("vae", "b.ckpt")).toBeUndefined();
});
