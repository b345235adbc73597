/** Builds the product once for the tests of a project, which then run the file that ships: `globalSetup` of test/vitest.config.ts. */
import { mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { buildBundles } from "../../handler/build.ts";
import { ROOT } from "./source-files.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** The product's file; without one the sources are run. */
    handler?: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), "handler-"));
  await buildBundles(folder);
  await mkdir(join(folder, "node_modules"));
  await symlink(join(ROOT, "node_modules/sharp"), join(folder, "node_modules/sharp"));
  project.provide("handler", join(folder, "handler.mjs"));
  return () => rm(folder, { recursive: true, force: true });
}
