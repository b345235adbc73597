/** A child process in a group of its own: its log lines, its end, and a kill that leaves nothing behind. */
import { spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { StringDecoder } from "node:string_decoder";
import { stripVTControlCharacters } from "node:util";

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface Child {
  /** Undefined when the program could not be started at all; `exited` tells. */
  readonly pid: number | undefined;
  /** Resolves once, after the process is gone and its pipes are drained. */
  readonly exited: Promise<Exit>;
  /** Signals the whole process group. */
  kill(signal: NodeJS.Signals): void;
  /** The last lines that it printed, oldest first. */
  lastLines(): string[];
}

export interface SpawnOptions {
  cwd?: string | undefined;
  env: Record<string, string | undefined>;
  onLine(line: string): void;
}

const KEPT_LINES = 200;
const MAX_LINE_CHARS = 8_192;

/** Starts `command`; both output pipes are always drained, since an unread pipe would block the child. */
export function spawnChild(command: readonly string[], { cwd, env, onLine }: SpawnOptions): Child {
  const [program = "", ...args] = command;
  const child = spawn(program, args, { cwd, env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  const kept: string[] = [];
  const keep = (colouredLine: string) => {
    const line = stripVTControlCharacters(colouredLine);
    kept.push(line);
    if (kept.length > KEPT_LINES) kept.shift();
    onLine(line);
  };

  splitLines(child.stdout, keep);
  splitLines(child.stderr, keep);

  let isOver = false;
  const killGroup = (signal: NodeJS.Signals) => {
    // Afterwards the number may be somebody else's.
    if (child.pid === undefined || isOver) return;
    try {
      process.kill(-child.pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  };

  const exited = new Promise<Exit>((resolve) => {
    child.on("error", (error) => {
      if (child.pid !== undefined) return;
      keep(`cannot start ${program}: ${error.message}`);
      resolve({ code: 127, signal: null });
    });
    // What the child started must not outlive it, nor hold its pipes open.
    child.on("exit", () => killGroup("SIGKILL"));
    child.on("close", (code, signal) => {
      isOver = true;
      resolve({ code, signal });
    });
  });

  return { pid: child.pid, exited, kill: killGroup, lastLines: () => [...kept] };
}

/** Calls back per line; a carriage return ends a line too (progress bars), and a line without end is cut at {@link MAX_LINE_CHARS}. */
function splitLines(stream: Readable, onLine: (line: string) => void): void {
  const decoder = new StringDecoder("utf8");
  let rest = "";
  const take = (text: string) => {
    const lines = (rest + text).split(/[\r\n]+/);
    rest = lines.pop() ?? "";
    for (const line of lines) if (line !== "") onLine(line.slice(0, MAX_LINE_CHARS));
    if (rest.length > MAX_LINE_CHARS) {
      onLine(rest.slice(0, MAX_LINE_CHARS));
      rest = "";
    }
  };
  stream.on("data", (chunk: Buffer) => take(decoder.write(chunk)));
  stream.on("end", () => take(`${decoder.end()}\n`));
}

/** "exit code 1" or "signal SIGKILL", for people. */
export function describeExit({ code, signal }: Exit): string {
  return signal === null ? `exit code ${code}` : `signal ${signal}`;
}
