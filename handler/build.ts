/** Bundles the endpoint, its emulator and the thread that pings RunPod into one file each: `node handler/build.ts [DIR]`. sharp stays outside, being native. */
import { cp } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Metafile } from "esbuild";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** What a bundle reads, or hands to ComfyUI, from beside itself. */
const COMPANIONS = ["runtime/emulator/object_info.json", "runtime/comfyui_nodes"];

/** ws, pino and the AWS SDK's CommonJS parts call `require`, which an ES module does not have. */
const BANNER = `import { createRequire } from "node:module"; const require = createRequire(import.meta.url);`;

/** Writes `handler.mjs`, `emulator.mjs`, `runpod-ping.mjs`, their source maps, licences and data into `directory`; the metafile tells what went in. */
export async function buildBundles(directory: string): Promise<Metafile> {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: {
      handler: "handler/main.ts",
      emulator: "runtime/emulator/main.ts",
      "runpod-ping": "handler/adapters/runpod/ping-thread.ts",
    },
    outdir: directory,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    platform: "node",
    target: "node24",
    format: "esm",
    external: ["sharp"],
    banner: { js: BANNER },
    sourcemap: "external",
    legalComments: "linked",
    metafile: true,
    logLevel: "warning",
  });
  await Promise.all(
    COMPANIONS.map((path) => cp(join(ROOT, path), join(directory, basename(path)), { recursive: true })),
  );
  return metafile;
}

if (import.meta.main) {
  const directory = resolve(process.argv[2] ?? join(ROOT, "dist"));
  const { outputs } = await buildBundles(directory);
  const bundles = Object.entries(outputs).filter(([file]) => file.endsWith(".mjs"));
  for (const [file, { bytes }] of bundles) process.stdout.write(`${file}  ${(bytes / 1024).toFixed(0)} KiB\n`);
}
