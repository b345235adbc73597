/** The scripts of the build refuse what would make a bad image. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { ROOT } from "../support/source-files.ts";

function runScript(script: string, args: string[], env: Record<string, string> = {}) {
  const { status, stderr } = spawnSync("python3", [join(ROOT, "image", script), ...args], {
    env: { PATH: process.env["PATH"], ...env },
    encoding: "utf8",
  });
  return { status, stderr };
}

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "comfy-endpoint-scripts-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

test("a base image of another CUDA than PyTorch's is refused", () => {
  const folder = temporaryFolder();
  const { status, stderr } = runScript("torch_layers.py", ["cu128", join(folder, "torch")], { CUDA_VERSION: "13.0.3" });
  expect(status).toBe(1);
  expect(stderr).toContain("BASE_IMAGE is of CUDA 13.0.3, and TORCH_CUDA is cu128");
});

const COMMIT = "0123456789abcdef0123456789abcdef01234567";
test.each([
  ["a tag in place of a commit", { name: "node", repo: "file:///nowhere", commit: "v1.0" }],
  ["a part of a commit", { name: "node", repo: "file:///nowhere", commit: COMMIT.slice(0, 7) }],
  ["a name that leaves the folder", { name: "../node", repo: "file:///nowhere", commit: COMMIT }],
])("a custom node by %s is refused before anything is fetched", (_, entry) => {
  const folder = temporaryFolder();
  const lock = join(folder, "nodes.lock.json");
  writeFileSync(lock, JSON.stringify([entry]));
  const { status, stderr } = runScript("nodes.py", ["fetch", lock, join(folder, "custom_nodes")]);
  expect({ status, stderr }).toEqual({
    status: 1,
    stderr: expect.stringContaining("wants a plain name, and a commit"),
  });
  expect(readdirSync(join(folder, "custom_nodes"))).toEqual([]);
});
