/** Logging: JSON lines for machines, readable lines on a terminal; the invocation's id joins every line that its handling writes. */
import { AsyncLocalStorage } from "node:async_hooks";
import { type DestinationStream, destination, type Logger, pino } from "pino";

const context = new AsyncLocalStorage<Record<string, unknown>>();

/** Adds fields to every line logged while `work` runs. */
export function withLogContext<T>(fields: Record<string, unknown>, work: () => T): T {
  return context.run({ ...context.getStore(), ...fields }, work);
}

/** @param stream the file descriptor: 1 for a service, 2 where stdout carries a result. */
export async function createLogger(level: string, stream: 1 | 2): Promise<Logger> {
  const isTerminal = (stream === 1 ? process.stdout : process.stderr).isTTY;
  return pino(
    {
      level,
      messageKey: "message",
      timestamp: pino.stdTimeFunctions.isoTime,
      base: null,
      formatters: { level: (label) => ({ level: label }) },
      mixin: () => ({ ...context.getStore() }), // a copy: pino writes the line's own fields into it
    },
    isTerminal ? await readable(stream) : destination({ dest: stream, sync: true }),
  );
}

async function readable(stream: 1 | 2): Promise<DestinationStream> {
  const { default: pretty } = await import("pino-pretty");
  return pretty({
    destination: stream,
    sync: true,
    messageKey: "message",
    ignore: "component",
    translateTime: "SYS:HH:MM:ss.l",
  });
}

const LEVEL_OF_LINE: readonly (readonly [pattern: RegExp, level: "debug" | "error" | "warn"])[] = [
  [/\d+%\|/, "debug"], // a progress bar, a line per step
  [/\b(error|exception|traceback|fatal)\b/i, "error"],
  [/\bwarn(ing)?\b/i, "warn"],
];

/** Passes a line of the engine on, at the level that it seems to have. */
export function logEngineLine(log: Logger, line: string): void {
  const level = LEVEL_OF_LINE.find(([pattern]) => pattern.test(line))?.[1] ?? "info";
  log[level]({ component: "comfyui" }, line);
}
