/** The page about adding a platform, followed in a copy of the project. */
import { execFile } from "node:child_process";
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { ROOT } from "../support/source-files.ts";

const FOLDERS = ["handler", "runtime", "workflows", "test", "docs"];
const COPIED = [...FOLDERS, "package.json", "package-lock.json", "tsconfig.json", "nodes.lock.json"];
const TABLE = "export const PLATFORMS: Readonly<Record<string, Platform>> = {\n";

test("what the page says makes a platform that keeps the contract, in less than 80 lines", async () => {
  const page = await readFile(join(ROOT, "docs/add-a-platform.md"), "utf8");
  const [adapter, line, driver, ...others] = [...page.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code]) => code!);
  const places = [...page.matchAll(/^## \d\. The \w+ (?:in )?`([^`]+)`$/gm)].map(([, place]) => place!);
  expect(others).toEqual([]);
  expect(places).toEqual(["handler/adapters/spool.ts", "handler/adapters/platforms.ts", "test/contract/spool.test.ts"]);
  expect(`${adapter}${line}${driver}`.trimEnd().split("\n").length).toBeLessThan(80);

  const copy = await mkdtemp(join(tmpdir(), "new-platform-"));
  onTestFinished(() => rm(copy, { recursive: true, force: true }));
  await Promise.all(COPIED.map((name) => cp(join(ROOT, name), join(copy, name), { recursive: true })));
  await symlink(join(ROOT, "node_modules"), join(copy, "node_modules"));
  const [adapterFile, tableFile, driverFile] = places.map((place) => join(copy, place));
  await writeFile(adapterFile!, adapter!);
  await writeFile(driverFile!, driver!);
  const table = await readFile(tableFile!, "utf8");
  expect(table).toContain(TABLE);
  await writeFile(tableFile!, table.replace(TABLE, `${TABLE}${line}`));

  await expect(run(copy, "tsc")).resolves.toMatchObject({ stdout: "" });
  const projects = ["--config", "test/vitest.config.ts", "--project", "contract", "--project", "unit"];
  const tests = ["test/contract/spool.test.ts", "test/contract/platforms.test.ts", "test/architecture.test.ts"];
  const { stdout } = await run(copy, "vitest", "run", ...projects, ...tests);
  expect(stdout).toMatch(/Test Files .*3 passed/);
}, 240_000);

/** One of the project's programs. @throws when it fails, with what it printed. */
const run = (cwd: string, program: string, ...args: string[]) =>
  promisify(execFile)(join(cwd, "node_modules/.bin", program), args, {
    cwd,
    env: { PATH: process.env["PATH"], NO_COLOR: "1" },
  }).catch((error) => {
    throw new Error(`${program} failed:\n${error.stdout}${error.stderr}`);
  });
