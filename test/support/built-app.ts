/** For vitest's `globalSetup`: builds what the image carries, so that tests start the product as users get it. */
import { mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Metafile } from "esbuild";
import { buildBundles } from "../../handler/build.ts";

const SHARP = fileURLToPath(new URL("../../node_modules/sharp", import.meta.url));

/** Once for all projects of a run. @returns what removes it. */
export default async function setup(): Promise<(() => Promise<void>) | undefined> {
  if (process.env["HANDLER_UNDER_TEST"] !== undefined) return undefined;
  const root = await mkdtemp(join(tmpdir(), "built-app-"));
  await buildApp(root);
  process.env["HANDLER_UNDER_TEST"] = join(root, "handler.mjs");
  return () => rm(root, { recursive: true, force: true });
}

/** The bundles in a folder, with sharp beside them, which is all they need. */
export async function buildApp(folder: string): Promise<Metafile> {
  const metafile = await buildBundles(folder);
  await mkdir(join(folder, "node_modules"));
  await symlink(SHARP, join(folder, "node_modules", "sharp"));
  return metafile;
}
