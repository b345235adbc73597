/** Which part may know which: held by a test, not by goodwill. */
import { expect, test } from "vitest";
import { loadGraph, ownImports, readSource, SOURCE_FILES } from "./support/source-files.ts";

/** From the platform's side to ComfyUI's; an import goes to the right or stays. */
const LAYERS = ["handler", "workflows", "runtime"];
const EMULATOR = "runtime/emulator/";
/** All that the emulator shares with the product that it is there to test. */
const SHARED_WITH_EMULATOR = ["runtime/comfyui/graph.ts", "runtime/json.ts"];

/** Who may load a library; a folder ends in a slash. A new library needs a line here. */
const OWNERS: Record<string, readonly string[]> = {
  "node:child_process": ["runtime/process.ts"],
  ws: ["runtime/comfyui/socket.ts", EMULATOR],
  "@aws-sdk/client-s3": ["handler/outputs/s3.ts"],
  "@aws-sdk/lib-storage": ["handler/outputs/s3.ts"],
  "@aws-sdk/s3-request-presigner": ["handler/outputs/s3.ts"],
  "@aws-sdk/client-sqs": ["handler/adapters/sqs/queue.ts"],
  sharp: ["handler/outputs/encode.ts", "handler/pictures/", EMULATOR],
  mime: ["handler/outputs/encode.ts", EMULATOR],
  hono: ["handler/adapters/http/", "handler/adapters/runpod/local-api.ts", EMULATOR],
  "@hono/node-server": ["handler/adapters/http/", EMULATOR],
  pino: ["handler/log.ts"],
  "pino-pretty": ["handler/log.ts"],
  zod: ["handler/config.ts", "handler/settings.ts", "handler/request/", "handler/adapters/"],
  "rabbitmq-client": ["handler/adapters/amqp.ts"],
  "prom-client": ["handler/metrics.ts"],
  leven: ["workflows/check-graph.ts"],
  esbuild: ["handler/build.ts"],
};

const layerOf = (file: string) => LAYERS.indexOf(file.split("/")[0]!);
const isWithin = (file: string, places: readonly string[]) =>
  places.some((place) => (place.endsWith("/") ? file.startsWith(place) : file === place));
/** `hono/body-limit` is part of `hono`. */
const packageOf = (specifier: string) => specifier.match(/^(@[^/]+\/)?[^/]+/)![0];

const allImports = SOURCE_FILES.flatMap((file) => ownImports(file).map((imported) => ({ file, imported })));
const shown = ({ file, imported }: { file: string; imported: string }) => `${file} -> ${imported}`;

test("imports go handler -> workflows -> runtime, those of types too", () => {
  const back = allImports.filter(({ file, imported }) => layerOf(imported) < layerOf(file) && layerOf(imported) >= 0);
  expect(allImports.length).toBeGreaterThan(SOURCE_FILES.length);
  expect(back.map(shown)).toEqual([]);
});

test("nobody imports the emulator, and it imports nothing of the product but the graph's types and the JSON reader", () => {
  const isEmulator = (file: string) => file.startsWith(EMULATOR);
  const intruders = allImports.filter(({ file, imported }) => isEmulator(imported) && !isEmulator(file));
  const borrowed = allImports.filter(
    ({ file, imported }) => isEmulator(file) && !isWithin(imported, [EMULATOR, ...SHARED_WITH_EMULATOR]),
  );
  expect([...intruders, ...borrowed].map(shown)).toEqual([]);
});

test("every library has its owners, and nobody else loads it", async () => {
  const loads = Object.entries(await loadGraph()).flatMap(([file, imports]) =>
    imports.filter(({ isPackage }) => isPackage).map(({ path }) => ({ file, imported: packageOf(path) })),
  );
  const owned = loads.filter(({ imported }) => !imported.startsWith("node:") || imported in OWNERS);
  expect(new Set(owned.map(({ imported }) => imported))).toEqual(new Set(Object.keys(OWNERS)));
  expect(owned.filter(({ file, imported }) => !isWithin(file, OWNERS[imported]!)).map(shown)).toEqual([]);
});

test("`submit` loads what a caller needs: no engine, no server, and the AWS SDK when it is called", async () => {
  const graph = await loadGraph();
  const files = new Set(["handler/submit/submit.ts"]);
  const packages = new Set<string>();
  for (const file of files) {
    for (const { path, isLazy, isPackage } of graph[file]!) {
      if (!isLazy && isPackage && !path.startsWith("node:")) packages.add(packageOf(path));
      else if (!isLazy && !isPackage) files.add(path);
    }
  }
  expect(packages).toEqual(new Set(["zod", "pino"]));
  expect([...files].filter((file) => file.startsWith("runtime/")).sort()).toEqual([
    "runtime/errors.ts",
    "runtime/json.ts",
  ]);
});

test("the environment is read in one file", () => {
  const readers = SOURCE_FILES.filter((file) => /\bprocess\s*\.\s*env\b/.test(readSource(file)));
  expect(readers).toEqual(["handler/config.ts"]);
});
