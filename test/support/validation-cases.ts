/** Bodies of `POST /prompt` as a real ComfyUI 0.33.0 judged them. */
import { readFileSync } from "node:fs";
import { parsePythonJson } from "../../runtime/json.ts";

export interface ValidationCase {
  name: string;
  /** Undefined for a body that is no JSON. */
  body: unknown;
  status: number;
  response?: { error?: NonNullable<unknown>; node_errors?: Record<string, unknown> };
  /** What the accepted prompt then did. */
  run?: "success" | "error" | "worker thread died";
}

const text = readFileSync(new URL("../fixtures/comfyui/validation.json", import.meta.url), "utf8");

export const VALIDATION_CASES = (
  parsePythonJson(text) as { cases: (ValidationCase & { raw_body?: string })[] }
).cases.map(({ raw_body, ...given }) => ({ ...given, body: given.body ?? parsed(raw_body) }));

function parsed(body: string | undefined): unknown {
  try {
    return parsePythonJson(body ?? "");
  } catch {
    return undefined;
  }
}
