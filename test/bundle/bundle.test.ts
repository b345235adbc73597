/** The files that the image carries: complete beside sharp alone, small, and quick to start the engine. */
import { spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import type { Metafile } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildBundles } from "../../handler/build.ts";
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
  const pieces = (await readdir(app)).filter((name) => /^handler.*\.mjs$/.test(name));
  const bytes = Buffer.concat(await Promise.all(pieces.map((name) => readFile(join(app, name)))));
  expect(bytes.length).toBeLessThanOrEqual(4 * 1024 ** 2);
  expect(gzipSync(bytes).length).toBeLessThanOrEqual(800 * 1024);
});

test("stacks can be read and licences are kept", async () => {
  const files = await readdir(app);
  const programs = files.filter((name) => name.endsWith(".mjs"));
  expect(programs.filter((name) => !files.includes(`${name}.map`))).toEqual([]);
  expect(files.filter((name) => name.endsWith(".LEGAL.txt")).length).toBeGreaterThan(0);
});

test("a second build leaves no piece of the first", async () => {
  const before = await readdir(app);
  await writeFile(join(app, "handler-chunk-OLD.mjs"), "");
  await buildBundles(app);
  expect(await readdir(app)).toEqual(before);
});

test("zod comes without its translations", () => {
  const packs = inputs().filter((file) => /\/zod\/.*\/locales\/(?!en\.|index\.)/.test(file));
  expect(packs).toEqual([]);
});

test("a library that is loaded when it is needed has its names: as CommonJS it would have a default alone", () => {
  const lazy = Object.values(metafile.inputs).flatMap(({ imports }) =>
    imports.filter(({ kind, external }) => kind === "dynamic-import" && !external).map(({ path }) => path),
  );
  const withoutNames = lazy.filter((path) => metafile.inputs[path]!.format === "cjs");
  expect(lazy.length).toBeGreaterThan(10);
  expect(withoutNames.filter((path) => !path.includes("/pino-pretty/"))).toEqual([]);
});

/** Files with code in a bundle. */
function inputs(): string[] {
  return Object.values(metafile.outputs).flatMap((output) =>
    Object.entries(output.inputs)
      .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
      .map(([file]) => file),
  );
}
