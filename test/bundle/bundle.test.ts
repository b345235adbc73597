/** The files that the image carries: complete beside sharp alone, small, and quick to start the engine. */
import { spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import type { Metafile } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildApp } from "../support/built-app.ts";
import { startJobServer } from "../support/job-server.ts";
import { colourGraph } from "../support/payloads.ts";
import { decode } from "../support/pictures.ts";

let root: string;
let app: string;
let metafile: Metafile;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "bundle-"));
  app = join(root, "app");
  metafile = await buildApp(app);
});

afterAll(() => rm(root, { recursive: true, force: true }));

/** Runs the bundle in a folder that knows nothing of the project. */
async function runBundle(...args: string[]) {
  const cwd = await mkdtemp(join(root, "elsewhere-"));
  const child = spawn(process.execPath, [join(app, "handler.mjs"), ...args], {
    cwd,
    env: { PATH: process.env["PATH"], ENGINE: "emulator" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { cwd, code, stdout, stderr };
}

test("`invoke` makes a picture with nothing but sharp beside the bundle", async () => {
  const payload = join(root, "payload.json");
  await writeFile(payload, JSON.stringify({ prompt: colourGraph(0x336699) }));
  const { cwd, code, stdout, stderr } = await runBundle("invoke", payload, "--out", "made");
  expect(code, stderr).toBe(0);

  const [output] = JSON.parse(stdout).outputs;
  const { width, height, data } = await decode(await readFile(join(cwd, output.file)));
  expect({ width, height, first: [...data.subarray(0, 3)] }).toEqual({
    width: 64,
    height: 64,
    first: [0x33, 0x66, 0x99],
  });
});

test("`check` reports the engine of the bundle", async () => {
  const { code, stdout, stderr } = await runBundle("check");
  expect(code, stderr).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ engines: [{ kind: "emulator" }], missing: [] });
});

test("a worker of a RunPod endpoint pings, from a file beside the bundle", async () => {
  const server = await startJobServer();
  const child = spawn(process.execPath, [join(app, "handler.mjs")], {
    env: { PATH: process.env["PATH"], ENGINE: "emulator", PORT: "0", ...server.environment },
    stdio: "ignore",
  });
  const ended = new Promise((resolve) => child.once("close", resolve));
  await server.called("ping");
  await server.called("take");
  child.kill("SIGTERM");
  expect(await ended).toBe(0);
});

test("the handler stays below 4 MiB, 800 KiB compressed", async () => {
  const bytes = await readFile(join(app, "handler.mjs"));
  expect(bytes.length).toBeLessThanOrEqual(4 * 1024 ** 2);
  expect(gzipSync(bytes).length).toBeLessThanOrEqual(800 * 1024);
});

test("stacks can be read and licences are kept", async () => {
  const files = await readdir(app);
  expect(files).toEqual(expect.arrayContaining(["handler.mjs.map", "handler.mjs.LEGAL.txt", "emulator.mjs.map"]));
});

test("zod comes without its translations", () => {
  const packs = inputsOf("handler.mjs").filter((file) => /\/zod\/.*\/locales\/(?!en\.|index\.)/.test(file));
  expect(packs).toEqual([]);
});

test("what the engine's start does not need is loaded after it", () => {
  const early = loadedFirst("handler/main.ts").filter((file) => file.startsWith("node_modules/"));
  const packages = new Set(early.map((file) => file.match(/node_modules\/((@[^/]+\/)?[^/]+)/)![1]!));
  const late = ["hono", "@hono/node-server", "@aws-sdk/client-s3", "sharp", "pino-pretty", "mime"];
  expect(late.filter((name) => packages.has(name))).toEqual([]);
  expect([...packages].some((name) => name.startsWith("@aws-sdk/") || name.startsWith("@smithy/"))).toBe(false);
  expect(packages).toContain("zod");
});

/** Files with code in a bundle. */
function inputsOf(bundle: string): string[] {
  const [, output] = Object.entries(metafile.outputs).find(([file]) => file.endsWith(bundle))!;
  return Object.entries(output.inputs)
    .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
    .map(([file]) => file);
}

/** What is evaluated with a file: it and all that it imports, except by `import()`. */
function loadedFirst(entry: string): string[] {
  const seen = new Set([entry]);
  for (const file of seen) {
    for (const { path, kind, external } of metafile.inputs[file]!.imports)
      if (kind !== "dynamic-import" && !external) seen.add(path);
  }
  return [...seen];
}
