/** What `npm pack` makes: Node takes no types off below `node_modules`, so an installed package has the bundle alone. */
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { ROOT } from "../support/source-files.ts";

const run = promisify(execFile);

test("the package has one command, which runs with nothing installed beside it", async () => {
  const folder = await mkdtemp(join(tmpdir(), "package-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const { stdout: packed } = await run("npm", ["pack", "--json", "--silent", "--pack-destination", folder], {
    cwd: ROOT,
  });
  const [tarball] = (await readdir(folder)).filter((name) => name.endsWith(".tgz"));
  expect(packed).toContain(tarball);
  await run("tar", ["-xzf", join(folder, tarball!), "-C", folder]);

  const installed = join(folder, "package");
  expect((await readdir(installed)).sort()).toEqual(["LICENSE", "README.md", "dist", "package.json"]);
  const { bin } = JSON.parse(await readFile(join(installed, "package.json"), "utf8"));
  expect(Object.keys(bin)).toEqual(["comfy-endpoint"]);
  const command = join(installed, bin["comfy-endpoint"]);
  expect(await readFile(command, "utf8")).toMatch(/^#!\/usr\/bin\/env node\n/);
  const { stdout: usage } = await run(process.execPath, [command, "submit", "--help"], { cwd: folder });
  expect(usage).toMatch(/^usage: comfy-endpoint submit FILE/);
});
