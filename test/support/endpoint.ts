/** Starts the product as people do, as a process of its own, and talks to it over HTTP. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { stripVTControlCharacters } from "node:util";
import { onTestFinished } from "vitest";
import { HANDLER, HANDLER_SOURCES } from "./entries.ts";

export interface LogLine {
  level: string;
  message: string;
  component?: string;
  [field: string]: unknown;
}

/** The product as a process, whatever brings its work. */
export interface RunningWorker {
  process: ChildProcess;
  /** Every line of its log so far. */
  log: LogLine[];
  /** Resolves with the first line, from now or before, that fits. */
  logged(fits: (line: LogLine) => boolean): Promise<LogLine>;
  /** Resolves with the exit code; 128 + n for signal n as the shell counts. */
  exited: Promise<number | null>;
  /** Process id, and process group, of the engine as it is now. */
  enginePid(): number;
}

export interface RunningEndpoint extends RunningWorker {
  url: string;
  /** Resolves when `/ready` says 200. */
  ready(): Promise<void>;
  /** Resolves when a txt2img is in the middle of its sampling. */
  sampling(): Promise<void>;
  post(path: string, body: unknown, init?: RequestInit): Promise<Response>;
}

const realEngine = process.env["ENGINE_UNDER_TEST"];
const realCommand = realEngine && JSON.stringify((JSON.parse(realEngine) as { command: string[] }).command);

/** The emulator, as slow as a real engine on a CPU. */
export const EMULATOR_ENVIRONMENT = { ENGINE: "emulator", COMFYUI_ARGS: "--step-delay 10" };

/** Settings of the engine under test: the emulator, unless the run names a real one. */
export function engineEnvironment(): Record<string, string> {
  // One thread: the tiny models gain nothing from more, and lose much where the cores are shared.
  return realCommand ? { COMFYUI_COMMAND: realCommand, OMP_NUM_THREADS: "1" } : EMULATOR_ENVIRONMENT;
}

type AtEnd = (stop: () => Promise<void>) => void;

/**
 * Starts `serve`, and comes back at once. Faults of the emulator: `COMFYUI_ARGS: "--fault NAME"`.
 * @param atEnd registers what ends it: with the test, unless a file shares one: its `beforeAll` then returns what ends it.
 * @param main the file that is run.
 */
export function startWorker(
  settings: Record<string, string> = {},
  atEnd: AtEnd = onTestFinished,
  args: readonly string[] = ["serve"],
  main = HANDLER,
): RunningWorker {
  // Coverage is asked for by those who want to know about the sources.
  const handler = settings["NODE_V8_COVERAGE"] === undefined ? main : HANDLER_SOURCES;
  const child = spawn(process.execPath, [handler, ...args], {
    env: { PATH: process.env["PATH"], PORT: "0", SHUTDOWN_GRACE_SECONDS: "1", ...engineEnvironment(), ...settings },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const log: LogLine[] = [];
  const waiting = new Set<() => void>();
  let rest = "";
  const take = (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) log.push(parseLine(line));
    for (const check of waiting) check();
  };
  child.stdout.on("data", take);
  child.stderr.on("data", take);

  const exited = once(child, "close").then(([code]) => {
    for (const check of waiting) check();
    return code as number | null;
  });
  const enginePid = () => Number(log.findLast(({ enginePid: pid }) => pid !== undefined)?.["enginePid"]);
  atEnd(async () => {
    if (child.exitCode === null) child.kill("SIGKILL");
    await exited;
    // As each of them was last started.
    const engines = new Map(
      log.flatMap(({ enginePid: pid, engineIndex }) => (pid ? [[engineIndex, Number(pid)]] : [])),
    );
    for (const pid of engines.values()) killGroup(pid);
  });

  const logged = (fits: (line: LogLine) => boolean) =>
    new Promise<LogLine>((resolve, reject) => {
      const check = () => {
        const found = log.find(fits);
        if (found) resolve(found);
        else if (child.exitCode !== null)
          reject(
            new Error(`the endpoint ended with ${child.exitCode}:\n${log.map(({ message }) => message).join("\n")}`),
          );
        else return;
        waiting.delete(check);
      };
      waiting.add(check);
      check();
    });
  return { process: child, log, logged, exited, enginePid };
}

/** Starts `serve` on a free port; comes back when it listens. */
export async function startEndpoint(
  settings: Record<string, string> = {},
  atEnd: AtEnd = onTestFinished,
  args?: readonly string[],
): Promise<RunningEndpoint> {
  const worker = startWorker(settings, atEnd, args);
  const listening = await worker.logged(
    ({ url, message }) => typeof url === "string" && message.startsWith("listening"),
  );
  const url = String(listening["url"]);
  return {
    ...worker,
    url,
    ready: () => until(async () => (await fetch(`${url}/ready`)).status === 200),
    sampling: () =>
      until(async () => {
        const progress = (await (await fetch(`${url}/sdapi/v1/progress?skip_current_image=true`)).json()) as {
          state: { sampling_step: number };
        };
        return progress.state.sampling_step > 0;
      }),
    post: (path, body, init) =>
      fetch(url + path, {
        method: "POST",
        body: typeof body === "string" ? body : JSON.stringify(body),
        headers: { "content-type": "application/json" },
        ...init,
      }),
  };
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 25));
}

/** Runs one command of the product to its end. */
export async function runCommand(
  args: string[],
  settings: Record<string, string> = {},
  stdin = "",
  cwd = process.cwd(),
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [HANDLER, ...args], {
    env: { PATH: process.env["PATH"], ...engineEnvironment(), ...settings },
    stdio: ["pipe", "pipe", "pipe"],
    cwd,
  });
  const output = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk: Buffer) => {
    output.stdout += chunk;
  });
  child.stderr.on("data", (chunk: Buffer) => {
    output.stderr += chunk;
  });
  child.stdin.end(stdin);
  const [code] = await once(child, "close");
  return { code, ...output };
}

function parseLine(line: string): LogLine {
  try {
    return JSON.parse(line) as LogLine;
  } catch {
    return { level: "text", message: stripVTControlCharacters(line) };
  }
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Gone already, as it should be.
  }
}
