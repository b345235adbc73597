/** Entry of the emulator: `node runtime/emulator/main.ts [ComfyUI's flags]`. A process that speaks ComfyUI 0.33.0's protocol without Python. */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import os from "node:os";
import path from "node:path";
import { Catalogue } from "./catalogue.ts";
import { Executor } from "./executor.ts";
import { Faults } from "./faults/index.ts";
import type { Folders } from "./folders.ts";
import { log } from "./log.ts";
import { NODES } from "./nodes/index.ts";
import { helpText, parseFlags, type Values } from "./options.ts";
import { namesOwnClasses } from "./own-classes.ts";
import { floatValue } from "./python.ts";
import { PromptQueue } from "./queue.ts";
import { COMFYUI_VERSION, serverFeatures } from "./server/info-routes.ts";
import { queueInfo } from "./server/prompt-routes.ts";
import { buildServer } from "./server/server.ts";
import { Sockets } from "./sockets.ts";
import { work } from "./worker.ts";

const DEFAULT_UPLOAD_MB = 100;
const BYTES_PER_MB = 1024 * 1024;

const argv = process.argv.slice(2);
const flags = readFlags();
if (flags.help) {
  console.log(helpText());
  process.exit(0);
}
const faults = readFaults();
await faults.start();
log.info(
  "comfy-endpoint emulator: it speaks ComfyUI's protocol, no model draws; pictures are computed from the prompt",
);

const folders = prepareFolders();
log.info(`Setting input directory to: ${folders.input}`);
log.info(`Setting output directory to: ${folders.output}`);
log.info(`Python version: none, Node ${process.version}`);
log.info(`ComfyUI version: ${COMFYUI_VERSION} (emulated)`);
log.info("Device: cpu");
const catalogue = new Catalogue(folders.input, namesOwnClasses(flags["extra-model-paths-config"] ?? []));
log.info("Using RAM pressure cache.");
await faults.boot();

const queue = new PromptQueue(() => sockets.send("status", { status: queueInfo(queue) }, null));
const maxUploadBytes = Math.round(Number(flags["max-upload-size"] ?? DEFAULT_UPLOAD_MB) * BYTES_PER_MB);
const features = serverFeatures(flags["max-upload-size"] === undefined ? maxUploadBytes : floatValue(maxUploadBytes));
const sockets = new Sockets(
  {
    status: () => queueInfo(queue),
    features,
    currentNode: (sid) => (executor.clientId === sid ? executor.currentNode : null),
  },
  faults,
);
const installation = { catalogue, nodes: NODES, folders };
const executor: Executor = new Executor({
  ...installation,
  sockets,
  faults,
  cacheMode: cacheMode(),
  stepDelayMs: Number(flags["step-delay"] ?? 1),
  writesMetadata: flags["disable-metadata"] !== true,
  previewMethod: flags["preview-method"] ?? "none",
  previewSize: Number(flags["preview-size"] ?? 512),
});
const server = buildServer({
  installation,
  catalogue,
  queue,
  executor,
  sockets,
  faults,
  features,
  maxUploadBytes,
  argv,
});
void work({ queue, executor, sockets, faults });

const host = (flags.listen ?? "127.0.0.1").split(",")[0]!;
const port = Number(flags.port ?? 8188);
server.on("error", (error: NodeJS.ErrnoException) => {
  const isTaken = error.code === "EADDRINUSE";
  log.error(
    isTaken
      ? `Port ${port} is already in use on address ${host}. Please close the other application or use a different port with --port.`
      : error.message,
  );
  process.exit(1);
});
log.info("Starting server\n");
server.listen(port, host, () => {
  log.info(
    `To see the GUI go to: http://${host.includes(":") ? `[${host}]` : host}:${(server.address() as AddressInfo).port}`,
  );
});

// SIGTERM has no handler, as in ComfyUI: the process dies at once and leaves its temp folder.
process.on("SIGINT", () => {
  log.info("");
  log.raw("Stopped server");
  rmSync(folders.temp, { recursive: true, force: true });
  if (!executor.currentClass?.includes("Sampler")) process.exit(0);
  // Torch's threads are still running then, and the C++ runtime aborts.
  log.raw("terminate called without an active exception");
  process.kill(process.pid, "SIGABRT");
});

function readFlags(): Values {
  try {
    return parseFlags(argv);
  } catch (error) {
    return usageError((error as Error).message);
  }
}

function readFaults(): Faults {
  try {
    return new Faults(flags.fault ?? []);
  } catch (error) {
    return usageError((error as Error).message);
  }
}

function usageError(message: string): never {
  log.raw(`usage: main.ts [flags]\nmain.ts: error: ${message}`);
  process.exit(2);
}

function cacheMode() {
  if (flags["cache-none"]) return { kind: "none" } as const;
  const size = Number(flags["cache-lru"] ?? 0);
  return size > 0 ? ({ kind: "lru", size } as const) : ({ kind: "current-prompt" } as const);
}

/** The folders asked for, else ones below a fresh temporary folder. */
function prepareFolders(): Folders {
  const user = flags["user-directory"];
  if (user !== undefined && !existsSync(user)) usageError(`argument --user-directory: ${user} is not a directory`);
  let base = flags["base-directory"];
  const inBase = (name: string) => {
    base ??= mkdtempSync(path.join(os.tmpdir(), "comfyui-emulator-"));
    return path.join(base, name);
  };
  const tempParent = flags["temp-directory"];
  const chosen = {
    input: path.resolve(flags["input-directory"] ?? inBase("input")),
    output: path.resolve(flags["output-directory"] ?? inBase("output")),
    temp: path.resolve(tempParent === undefined ? inBase("temp") : path.join(tempParent, "temp")),
  };
  rmSync(chosen.temp, { recursive: true, force: true });
  for (const folder of Object.values(chosen)) mkdirSync(folder, { recursive: true });
  return chosen;
}
