/** Which engines are run and how: the command line, the folders and the address of each. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export interface EngineFolders {
  input: string;
  output: string;
  temp: string;
}

export interface EnginePlan {
  kind: "comfyui" | "emulator" | "external";
  url: string;
  /** Absent when somebody else runs the engine; so are the folders. */
  command?: readonly string[];
  cwd?: string;
  env: Record<string, string | undefined>;
  folders?: EngineFolders;
  /** Removes what was made for this engine alone, when nothing of it is needed any more. */
  cleanUp(): void;
}

interface EngineSettings {
  home: string | undefined;
  command: readonly string[] | undefined;
  emulator: boolean;
  args: readonly string[];
  python: string | undefined;
  /** 0: any free port. */
  port: number;
  dataDir: string | undefined;
  inputDir: string | undefined;
  outputDir: string | undefined;
  env: Record<string, string | undefined>;
}

/** Pictures of one invocation fit many times over; less than this and a real disk is the safer place. */
const MIN_TMPFS_BYTES = 2 * 1024 ** 3;
const TMPFS = "/dev/shm";

/** Flags that suit a headless worker, each used when this ComfyUI knows it (names come and go between versions). */
const OPTIONAL_FLAGS: readonly (readonly [flag: string, ...values: string[]])[] = [
  ["--disable-auto-launch"],
  ["--database-url", "sqlite:///:memory:"], // no lock on a shared volume, no write to a read-only image
  ["--disable-assets"], // newer versions scan every model folder at start otherwise
];

export interface EnginesSettings extends EngineSettings {
  /** Of engines that somebody else runs; none: our own. */
  urls: readonly string[] | undefined;
  /** CUDA's numbers of those that get an engine each; `all`; none: one engine, which sees what there is. */
  gpus: readonly string[];
}

/**
 * Decides how each engine is started; makes its folders.
 * @throws Error that names the setting at fault.
 */
export async function planEngines({ urls, gpus, ...settings }: EnginesSettings): Promise<EnginePlan[]> {
  const { env, port, dataDir } = settings;
  if (urls) return urls.map((url) => ({ kind: "external", url: url.replace(/\/+$/, ""), env, cleanUp() {} }));
  const chosen = gpus.length === 1 && gpus[0] === "all" ? visibleGpus(env) : gpus;
  if (chosen.length === 0) return [await planEngine(settings)];
  return Promise.all(
    chosen.map((gpu, index) =>
      planEngine({
        ...settings,
        port: port && port + index,
        // ComfyUI empties its temporary folder when it starts: no two may share one.
        dataDir: dataDir && join(dataDir, `gpu-${gpu}`),
        env: { ...env, CUDA_VISIBLE_DEVICES: gpu },
      }),
    ),
  );
}

/** What the platform lets us see, else what the driver has. */
function visibleGpus({ CUDA_VISIBLE_DEVICES: visible }: Record<string, string | undefined>): string[] {
  if (visible !== undefined) return visible.split(",").filter(Boolean);
  return readdirSync("/dev")
    .flatMap((name) => name.match(/^nvidia(\d+)$/)?.[1] ?? [])
    .sort((a, b) => Number(a) - Number(b));
}

async function planEngine(settings: EngineSettings): Promise<EnginePlan> {
  const { env } = settings;
  const port = settings.port || (await freePort());
  const data = dataDirectory(settings.dataDir);
  const folders: EngineFolders = {
    // People keep pictures that their graphs name in ComfyUI's own input folder.
    input: settings.inputDir ?? (settings.home === undefined ? join(data.path, "input") : join(settings.home, "input")),
    output: settings.outputDir ?? join(data.path, "output"),
    temp: join(data.path, "temp"),
  };
  // ComfyUI appends /temp to the temp directory that it is given.
  const flags = [
    ["--listen", "127.0.0.1", "--port", String(port)],
    ["--input-directory", folders.input, "--output-directory", folders.output, "--temp-directory", data.path],
    ["--extra-model-paths-config", writeNodePaths(data.path)],
  ].flat();
  for (const folder of Object.values(folders)) mkdirSync(folder, { recursive: true });

  const base = { url: `http://127.0.0.1:${port}`, env, folders, cleanUp: data.remove };
  if (settings.emulator)
    return { ...base, kind: "emulator", command: [process.execPath, emulatorEntry(), ...flags, ...settings.args] };
  if (settings.command) return { ...base, kind: "comfyui", command: [...settings.command, ...flags, ...settings.args] };
  const home = settings.home!;
  if (!existsSync(join(home, "main.py"))) throw new Error(`COMFYUI_HOME: there is no main.py in ${home}`);
  const known = knownFlags(home);
  const optional = OPTIONAL_FLAGS.filter(([flag]) => known.includes(`"${flag}"`)).flat();
  const command = [settings.python ?? pythonOf(home), "-u", "main.py", ...flags, ...optional, ...settings.args];
  return { ...base, kind: "comfyui", command, cwd: home };
}

/** The text that declares ComfyUI's flags; an unknown flag would end it at once, and asking `--help` would cost a Python start. */
function knownFlags(home: string): string {
  const file = join(home, "comfy", "cli_args.py");
  return existsSync(file) ? readFileSync(file, "utf8") : "";
}

function pythonOf(home: string): string {
  const candidates = [".venv", "venv"].map((venv) => join(home, venv, "bin", "python"));
  return candidates.find((path) => existsSync(path)) ?? "python3";
}

/** What lies beside this file, in development and beside the bundle in the image. */
const beside = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

const emulatorEntry = () => beside(import.meta.url.endsWith(".ts") ? "./emulator/main.ts" : "./emulator.mjs");

/** A model paths file that makes ComfyUI load our nodes; it joins those that the operator's command names. */
function writeNodePaths(folder: string): string {
  const file = join(folder, "comfy-endpoint-nodes.yaml");
  // A JSON string is a YAML string.
  writeFileSync(file, `comfy_endpoint:\n  custom_nodes: ${JSON.stringify(beside("./comfyui_nodes"))}\n`);
  return file;
}

function dataDirectory(configured: string | undefined): { path: string; remove(): void } {
  if (configured !== undefined) {
    mkdirSync(configured, { recursive: true });
    return { path: configured, remove() {} };
  }
  const path = mkdtempSync(join(hasRoomyTmpfs() ? TMPFS : tmpdir(), "comfy-endpoint-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

function hasRoomyTmpfs(): boolean {
  if (!existsSync(TMPFS)) return false;
  const { bavail, bsize } = statfsSync(TMPFS);
  return bavail * bsize >= MIN_TMPFS_BYTES;
}

/**
 * Below the ports that systems give to outgoing connections, any of which could take it before the engine, which needs seconds until it
 * listens; and by chance, since others may look for one at the same time.
 */
const PORTS = { from: 12_000, to: 32_768 };
const PORT_TRIES = 50;

async function freePort(): Promise<number> {
  for (let tries = 1; ; tries++) {
    const port = PORTS.from + Math.floor(Math.random() * (PORTS.to - PORTS.from));
    const obstacle = await whyTaken(port);
    if (obstacle === undefined) return port;
    if (tries === PORT_TRIES)
      throw new Error(`none of ${tries} ports can be listened on: ${obstacle.message}`, { cause: obstacle });
  }
}

function whyTaken(port: number): Promise<Error | undefined> {
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<Error | undefined>();
  server.once("error", resolve);
  server.listen(port, "127.0.0.1", () => server.close(resolve));
  return promise;
}
