/** One job from the command line or from `test_input.json`, as RunPod's own workers run it on a desk. */
import { readFile } from "node:fs/promises";
import { parseJson } from "../../../runtime/json.ts";
import type { Endpoint } from "../../endpoint.ts";
import { dialectOf, readJob } from "./job.ts";
import { resultBody } from "./result-body.ts";

const FILE = "test_input.json";

/**
 * Prints what would be posted to RunPod.
 * @param given the job; without it, the file in the working folder.
 * @returns the exit code: 1 for a job that fails, or none at all.
 */
export async function runTestInput(endpoint: Endpoint, given: string | undefined): Promise<0 | 1> {
  const text = given ?? (await readFile(FILE, "utf8").catch(() => undefined));
  if (text === undefined) return complain(`${FILE} not found, exiting.`);
  let parsed: unknown;
  try {
    parsed = parseJson(text);
  } catch (error) {
    return complain(`the test input is not JSON: ${(error as Error).message}`);
  }
  const fields = typeof parsed === "object" && parsed !== null ? parsed : {};
  if (!("input" in fields)) return complain("Job has no input parameter. Unable to run.");
  const job = readJob({ id: "local_test", ...fields })!;
  const dialect = dialectOf(job);
  const { signal } = new AbortController();
  const invocation = { id: job.id, source: "runpod", attempt: 1, dialect, payload: { input: job.input }, signal };
  const body = resultBody(await endpoint.invoke(invocation), dialect);
  process.stdout.write(`${JSON.stringify(body, null, 2)}\n`);
  return body.error === undefined ? 0 : 1;
}

function complain(message: string): 1 {
  process.stderr.write(`${message}\n`);
  return 1;
}
