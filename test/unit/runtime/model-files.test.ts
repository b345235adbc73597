import { createHash } from "node:crypto";
import { utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { SafetensorsHeader } from "../../../runtime/safetensors.ts";
import { modelFolder } from "../../support/model-folder.ts";
import { safetensorsFile } from "../../support/safetensors.ts";

const CONTENT = "weights";
const HASH = createHash("sha256").update(CONTENT).digest("hex");
const NOTED = "AB".repeat(32);

test("a hash is computed off the way, and known afterwards", async () => {
  const { root, models } = modelFolder({ "checkpoints/sub/a.safetensors": CONTENT });
  expect(models.path("checkpoints", "sub/a.safetensors")).toBe(join(root, "checkpoints/sub/a.safetensors"));
  expect(models.sha256("checkpoints", "sub/a.safetensors")).toBeUndefined();
  await models.settled();
  expect(models.sha256("checkpoints", "sub/a.safetensors")).toBe(HASH);
});

test.each(["a.safetensors.sha256", "a.sha256"])("%s beside the model is believed at once", (sidecar) => {
  const { models } = modelFolder({
    "checkpoints/a.safetensors": CONTENT,
    [`checkpoints/${sidecar}`]: `${NOTED}  a.safetensors\n`,
  });
  expect(models.sha256("checkpoints", "a.safetensors")).toBe(NOTED.toLowerCase());
});

test("a file that changes is hashed again", async () => {
  const { root, models } = modelFolder({ "checkpoints/a.ckpt": "before" });
  models.sha256("checkpoints", "a.ckpt");
  await models.settled();
  writeFileSync(join(root, "checkpoints/a.ckpt"), CONTENT);
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

test("the hash of the tensors leaves the header out; of another file it is the whole", async () => {
  const { models } = modelFolder({
    "loras/a.safetensors": safetensorsFile({ a: [1] }, { note: "one" }, CONTENT),
    "loras/b.safetensors": safetensorsFile({ a: [1] }, { note: "another" }, CONTENT),
    "loras/c.pt": CONTENT,
  });
  const names = ["a.safetensors", "b.safetensors", "c.pt"];
  for (const name of names) expect(models.dataSha256("loras", name)).toBeUndefined();
  await models.settled();
  for (const name of names) expect(models.dataSha256("loras", name)).toBe(HASH);
  expect(models.sha256("loras", "a.safetensors")).toBeUndefined();
});

test("what a header tells is read once, and again when the file is another", async () => {
  const { root, models } = modelFolder({ "loras/a.safetensors": safetensorsFile({ a: [1] }), "loras/b.pt": "pickle" });
  let reads = 0;
  const names = ({ shapes }: SafetensorsHeader) => {
    reads++;
    return [...shapes.keys()];
  };
  expect(await models.describe("loras", "a.safetensors", names)).toEqual(["a"]);
  expect(await models.describe("loras", "a.safetensors", names)).toEqual(["a"]);
  expect(reads).toBe(1);
  writeFileSync(join(root, "loras/a.safetensors"), safetensorsFile({ b: [1] }));
  utimesSync(join(root, "loras/a.safetensors"), 1, 1);
  expect(await models.describe("loras", "a.safetensors", names)).toEqual(["b"]);
  expect(await models.describe("loras", "b.pt", names)).toBeUndefined();
  expect(await models.describe("loras", "absent", names)).toBeUndefined();
  expect(await models.describe("vae", "a.safetensors", names)).toBeUndefined();
});
