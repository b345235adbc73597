/** Model files in a folder of their own, which is gone after the test. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";
import { ModelFiles } from "../../runtime/model-files.ts";

/** @param files by `folder/name`. */
export function modelFolder(files: Readonly<Record<string, string | Buffer>>): { root: string; models: ModelFiles } {
  const root = mkdtempSync(join(tmpdir(), "models-"));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), content);
  }
  const folders = [...new Set(Object.keys(files).map((name) => name.split("/")[0]!))];
  return { root, models: new ModelFiles(() => Object.fromEntries(folders.map((name) => [name, [join(root, name)]]))) };
}
