/**
 * Bundles the endpoint for the image: `node handler/build.ts [DIR]`. The handler is in pieces, so that ComfyUI is started before the rest of it
 * is even read, and no platform reads what is another's. sharp stays outside, being native.
 */
import { cp, readdir, rm } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type BuildOptions, build, type Metafile } from "esbuild";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** What a bundle reads, or hands to ComfyUI, from beside itself. */
const COMPANIONS = ["runtime/emulator/object_info.json", "runtime/comfyui_nodes"];

/** ws, pino and the AWS SDK's CommonJS parts call `require`, which an ES module does not have. */
const BANNER = `import { createRequire } from "node:module"; const require = createRequire(import.meta.url);`;

/** The handler with its pieces, which bear its name; and programs of their own, in one file each. */
const PROGRAMS: readonly BuildOptions[] = [
  { entryPoints: { handler: "handler/main.ts" }, splitting: true, chunkNames: "handler-[name]-[hash]" },
  {
    entryPoints: { emulator: "runtime/emulator/main.ts", "runpod-ping": "handler/adapters/runpod/ping-thread.ts" },
  },
];

/** Writes `handler.mjs`, `emulator.mjs`, `runpod-ping.mjs`, their source maps, licences and data into `directory`; the metafile tells what went in. */
export async function buildBundles(directory: string): Promise<Metafile> {
  await removePieces(directory);
  const built = await Promise.all(
    PROGRAMS.map((program) =>
      build({
        ...program,
        absWorkingDir: ROOT,
        outdir: directory,
        outExtension: { ".js": ".mjs" },
        bundle: true,
        platform: "node",
        target: "node24",
        format: "esm",
        // Of a CommonJS package, a piece of its own would have no names but the default's: the AWS SDK comes in both.
        mainFields: ["module", "main"],
        external: ["sharp"],
        banner: { js: BANNER },
        sourcemap: "external",
        legalComments: "linked",
        metafile: true,
        logLevel: "warning",
      }),
    ),
  );
  await Promise.all(
    COMPANIONS.map((path) => cp(join(ROOT, path), join(directory, basename(path)), { recursive: true })),
  );
  const all = built.map(({ metafile }) => metafile!);
  return {
    inputs: Object.assign({}, ...all.map(({ inputs }) => inputs)),
    outputs: Object.assign({}, ...all.map(({ outputs }) => outputs)),
  };
}

/** Of an earlier build: their names tell their content. */
async function removePieces(directory: string): Promise<void> {
  const names = await readdir(directory).catch(() => []);
  const pieces = names.filter((name) => /^handler-.*\.mjs/.test(name));
  await Promise.all(pieces.map((name) => rm(join(directory, name))));
}

if (import.meta.main) {
  const directory = resolve(process.argv[2] ?? join(ROOT, "dist"));
  const { outputs } = await buildBundles(directory);
  const sizeOf = (fits: (file: string) => boolean) =>
    Object.entries(outputs).reduce((sum, [file, { bytes }]) => (fits(basename(file)) ? sum + bytes : sum), 0);
  for (const name of ["handler", "emulator", "runpod-ping"]) {
    const bytes = sizeOf((file) => file.startsWith(name) && file.endsWith(".mjs"));
    process.stdout.write(`${name}  ${(bytes / 1024).toFixed(0)} KiB\n`);
  }
}
