/** What a worker reads of the files that ship: ComfyUI's start waits for little, and no platform reads what is another's. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Metafile } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";
import { PLATFORMS } from "../../handler/adapters/platforms.ts";
import { startAws } from "../support/aws.ts";
import { buildApp } from "../support/built-app.ts";
import { startWorker } from "../support/endpoint.ts";
import { startJobServer } from "../support/job-server.ts";
import { startLambdaRuntime } from "../support/lambda-runtime.ts";
import { ROOT } from "../support/source-files.ts";

/** Where a platform's work comes from. Of the broker there is none: its library is loaded before it is looked for. */
const SETTINGS: Record<string, () => Promise<Record<string, string>>> = {
  http: async () => ({}),
  amqp: async () => ({ AMQP_URL: "amqp://127.0.0.1:9", AMQP_QUEUE: "jobs" }),
  lambda: async () => (await startLambdaRuntime()).settings,
  runpod: async () => (await startJobServer()).environment,
  "runpod-api": async () => ({ RUNPOD_API_PORT: "0" }),
  sqs: async () => (await startAws()).settings,
};

/** What only these platforms load, and each of them does. */
const OWNERS: Record<string, readonly string[]> = {
  "handler/adapters/amqp.ts": ["amqp"],
  // Function URLs bring Lambda whatever comes over HTTP.
  "handler/adapters/http/routes.ts": ["http", "lambda"],
  "handler/adapters/lambda/": ["lambda"],
  "handler/adapters/runpod/": ["runpod", "runpod-api"],
  "handler/adapters/sqs/": ["sqs"],
  // Where METRICS asks for it.
  "handler/metrics.ts": [],
  "node_modules/@aws-sdk/": ["sqs"],
  "node_modules/prom-client/": [],
  "node_modules/rabbitmq-client/": ["amqp"],
};

let app: string;
let metafile: Metafile;
beforeAll(async () => {
  app = await mkdtemp(join(tmpdir(), "loads-"));
  metafile = await buildApp(app);
});
afterAll(() => rm(app, { recursive: true, force: true }));

test.each(Object.keys(SETTINGS))(
  "a worker of %s loads what is its own, and nothing of another platform",
  async (mode) => {
    const loaded = await loadedBy(mode);
    expect(loaded).toContain("handler/main.ts");
    const found = Object.keys(OWNERS).filter((owned) => loaded.some((file) => file.startsWith(owned)));
    const own = Object.keys(OWNERS).filter((owned) => OWNERS[owned]!.includes(mode));
    expect(found).toEqual(own);
  },
);

test("what measures is loaded where METRICS asks for it", async () => {
  const loaded = await loadedBy("http", { METRICS: "true" });
  expect(loaded).toEqual(expect.arrayContaining(["handler/metrics.ts", "node_modules/prom-client/index.js"]));
});

test("every platform is among them, but for those that are http with other defaults", async () => {
  const http = await PLATFORMS["http"]!.load();
  const names = Object.keys(PLATFORMS);
  const adapters = await Promise.all(names.map((name) => PLATFORMS[name]!.load()));
  const others = names.filter((name, index) => name === "http" || adapters[index] !== http);
  expect(Object.keys(SETTINGS).sort()).toEqual(others.sort());
});

test("ComfyUI is started before what its start does not need is loaded", async () => {
  const loaded = await loadedBy("http");
  const before = loaded.slice(0, loaded.indexOf("spawn"));
  const packages = before.flatMap((file) => file.match(/^node_modules\/((@[^/]+\/)?[^/]+)/)?.[1] ?? []);
  expect(packages).toContain("zod");
  const late = ["hono", "@hono/node-server", "mime", "pino-pretty", "rabbitmq-client", "sharp", "ws"];
  expect(late.filter((name) => packages.includes(name))).toEqual([]);
  expect(packages.filter((name) => /^@(aws-sdk|smithy)\//.test(name))).toEqual([]);
  // With all that the name `WebSocket` of it brings along, it takes longer to load than all the rest.
  expect(before).not.toContain("node:http");
  expect(loaded).toContain("node:http");
});

/** In order, until its engine serves: the sources whose code was loaded, modules from outside of the bundle, and `spawn`. */
async function loadedBy(mode: string, settings: Record<string, string> = {}): Promise<string[]> {
  const noted = join(app, `${mode}.txt`);
  const worker = startWorker(
    {
      ...(await SETTINGS[mode]!()),
      ...settings,
      HANDLER_MODE: mode,
      ENGINE: "emulator",
      NODE_OPTIONS: `--import ${pathToFileURL(join(ROOT, "test/support/loads-noted.ts")).href}`,
      LOADS_NOTED: noted,
    },
    undefined,
    ["serve"],
    join(app, "handler.mjs"),
  );
  await worker.logged(({ message }) => message === "engine ready");
  const lines = (await readFile(noted, "utf8")).split("\n").map((line) => line.split(" "));
  return lines.filter(([pid]) => Number(pid) === worker.process.pid).flatMap(([, url]) => sourcesOf(url!));
}

/** The sources in one of the bundle's files. */
function sourcesOf(url: string): string[] {
  if (!url.startsWith(pathToFileURL(app).href)) return [url];
  const [, output] = Object.entries(metafile.outputs).find(([file]) => basename(file) === basename(url))!;
  return Object.keys(output.inputs).filter((file) => output.inputs[file]!.bytesInOutput > 0);
}
