/** What the commands for one payload share: where it comes from, outputs as files, and how they tell what became of it. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { EndpointError, type ErrorBody } from "../runtime/errors.ts";
import { parseJson } from "../runtime/json.ts";

/** 0 done, 1 may succeed when tried again, 2 will not. */
export type ExitCode = 0 | 1 | 2;

/** @param source a file, or `-` for stdin. @throws EndpointError `invalid_request`, `invalid_json`. */
export async function readPayload(source: string): Promise<unknown> {
  const content = await (source === "-" ? text(process.stdin) : readFile(source, "utf8")).catch((cause) => {
    throw new EndpointError("invalid_request", `cannot read ${source}`, { cause });
  });
  try {
    return parseJson(content);
  } catch (cause) {
    throw new EndpointError("invalid_json", `${source} is not JSON: ${(cause as Error).message}`, { cause });
  }
}

/** Writes an output under its name, which may have folders, and returns the file's path. */
export async function saveOutput(folder: string, name: string, bytes: Buffer): Promise<string> {
  const file = join(folder, name);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, bytes);
  return file;
}

/** To stdout, which carries nothing else. */
export function printResult(result: unknown): ExitCode {
  process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
  return 0;
}

export function printFailure(body: ErrorBody): ExitCode {
  printResult(body);
  return body.error.retryable ? 1 : 2;
}
