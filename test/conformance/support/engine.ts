import { type ChildProcess, spawn } from "node:child_process";
import { openSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { vi } from "vitest";

/**
 * The engine under test. Without settings it is the emulator, started by the suite. `ENGINE_UNDER_TEST` (JSON of test/engine/install.ts's
 * RealEngine, set by test/engine/run.ts) makes it a real ComfyUI, started by the suite; `COMFYUI_URL` a running one, whose process the
 * suite can neither signal nor restart.
 */
export interface Engine {
  readonly url: string;
  /** Exactly as `/system_stats` says it. */
  readonly version: string;
  /** Which of the two recordings this engine has to match. */
  readonly recordedVersion: "0.3.75" | "0.33.0";
  readonly isEmulator: boolean;
  /** The process, where the suite started it. */
  readonly process: EngineProcess | undefined;
  stop(): Promise<void>;
}

export interface EngineProcess {
  readonly child: ChildProcess;
  /** Exit code, or the negative number of the signal, as Python's subprocess counts. */
  readonly exited: Promise<number>;
  /** Everything written to stdout and stderr so far, in the order of writing. */
  log(): string;
  /** The folder given as `--temp-directory`; ComfyUI uses `temp` inside it. */
  readonly tempFolder: string;
}

const ROOT = join(import.meta.dirname, "../../..");
export const FIXTURES = join(ROOT, "test/fixtures/comfyui");
const SIGNAL_NUMBERS: Readonly<Record<string, number>> = { SIGINT: 2, SIGABRT: 6, SIGKILL: 9, SIGTERM: 15 };
const START_LIMIT_MS = 90_000;

/** The URL of a running engine, when the suite was pointed at one. */
export const givenUrl = process.env["COMFYUI_URL"]?.replace(/\/$/, "");
/** Why tests that need the process are skipped, or undefined when they run. */
export const noProcess = givenUrl ? `COMFYUI_URL is set: the process behind ${givenUrl} is not ours` : undefined;

/** For names of tests: expectations differ between versions. */
export const engineName = givenUrl
  ? `ComfyUI ${await readVersion(givenUrl)} at ${givenUrl}`
  : process.env["ENGINE_UNDER_TEST"]
    ? `ComfyUI ${(JSON.parse(process.env["ENGINE_UNDER_TEST"]) as { version: string }).version}`
    : "the emulator";

/** Starts the engine under test (or takes the running one) and puts the recordings' input files into its input folder. */
export async function startEngine(flags: readonly string[] = []): Promise<Engine> {
  const engine = givenUrl ? await describeEngine(givenUrl, undefined, async () => {}) : await spawnEngine(flags);
  await uploadInputs(engine.url, join(FIXTURES, "input"));
  return engine;
}

/** Uploads every file of a folder under its own name. */
export async function uploadInputs(url: string, folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const form = new FormData();
    form.set("overwrite", "true");
    form.set("image", new Blob([await readFile(join(folder, name))]), name);
    const response = await fetch(`${url}/upload/image`, { method: "POST", body: form });
    if (!response.ok) throw new Error(`upload of ${name}: ${response.status} ${await response.text()}`);
  }
}

async function spawnEngine(flags: readonly string[]): Promise<Engine> {
  const port = await freePort();
  const folder = await mkdtemp(join(tmpdir(), "conformance-"));
  const folders = [];
  for (const name of ["input", "output", "temp", "user"]) {
    await mkdir(join(folder, name));
    folders.push(`--${name}-directory`, join(folder, name));
  }
  const [program, ...args] = underTest();
  // One file for both streams keeps their order, which two pipes would lose.
  const logFile = join(folder, "log");
  const output = openSync(logFile, "w");
  const child = spawn(program!, [...args, "--port", String(port), ...folders, ...flags], {
    stdio: ["ignore", output, output],
    // Torch's threads spin while they wait: beside anything else on the machine, several are slower than one.
    env: { ...process.env, OMP_NUM_THREADS: "1" },
  });
  const exited = new Promise<number>((resolve) => {
    child.on("exit", (code, signal) => resolve(code ?? -(SIGNAL_NUMBERS[signal!] ?? 0)));
  });
  const log = () => readFileSync(logFile, "utf8");
  const stop = async () => {
    child.kill("SIGKILL");
    await exited;
    await rm(folder, { recursive: true, force: true });
  };
  const url = `http://127.0.0.1:${port}`;
  await vi.waitFor(
    async () => {
      if (child.exitCode !== null) throw new Error(`the engine ended with ${child.exitCode}:\n${log()}`);
      await fetch(`${url}/prompt`);
    },
    { timeout: START_LIMIT_MS, interval: 50 },
  );
  return describeEngine(url, { child, exited, log, tempFolder: join(folder, "temp") }, stop);
}

function underTest(): string[] {
  const real = process.env["ENGINE_UNDER_TEST"];
  if (real) return (JSON.parse(real) as { command: string[] }).command;
  // A step as long as the tiny models' on a CPU: long prompts must still sample while a scenario acts on them.
  return [process.execPath, join(ROOT, "runtime/emulator/main.ts"), "--step-delay", "10"];
}

async function describeEngine(
  url: string,
  engineProcess: EngineProcess | undefined,
  stop: () => Promise<void>,
): Promise<Engine> {
  const version = await readVersion(url);
  const recordedVersion = version.startsWith("0.3.") ? "0.3.75" : "0.33.0";
  const isEmulator = !givenUrl && !process.env["ENGINE_UNDER_TEST"];
  return { url, version, recordedVersion, isEmulator, process: engineProcess, stop };
}

async function readVersion(url: string): Promise<string> {
  const stats = (await (await fetch(`${url}/system_stats`)).json()) as { system: Record<string, unknown> };
  return String(stats.system["comfyui_version"]);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Whether ComfyUI's own temp folder exists. */
export function hasTempFolder({ tempFolder }: EngineProcess): Promise<boolean> {
  return stat(join(tempFolder, "temp")).then(
    () => true,
    () => false,
  );
}
