import { vi } from "vitest";
import type { Engine } from "./engine.ts";
import { parseLenient } from "./lenient-json.ts";

/** A file in an output: `type` is output, temp or input. */
export interface OutputFile {
  filename: string;
  subfolder: string;
  type: string;
}

export interface HistoryEntry {
  outputs: Record<string, { images?: OutputFile[]; animated?: boolean[] }>;
  status: { status_str: string; messages: [string, Record<string, unknown>][] };
}

export interface Answer {
  status: number;
  /** JSON, or the text of a 500. */
  body: unknown;
}

const RUN_LIMIT_MS = 30_000;

/** Posts bytes to /prompt as they are. */
export async function postPrompt(engine: Engine, body: string): Promise<Answer> {
  const headers = { "content-type": "application/json" };
  const response = await fetch(`${engine.url}/prompt`, { method: "POST", headers, body });
  const text = await response.text();
  return { status: response.status, body: response.status === 500 ? text : parseLenient(text) };
}

/** The history entry of a prompt once it has one. */
export async function finished(engine: Engine, promptId: string): Promise<HistoryEntry> {
  return vi.waitFor(
    async () => {
      const response = await fetch(`${engine.url}/history/${encodeURIComponent(promptId)}`);
      const entry = Object.values(parseLenient(await response.text()) as Record<string, HistoryEntry>)[0];
      if (!entry) throw new Error(`${promptId} is not in the history`);
      return entry;
    },
    { timeout: RUN_LIMIT_MS, interval: 4 },
  );
}

/** What the history says of a failed run. */
export function executionError({ status }: HistoryEntry): Record<string, unknown> | undefined {
  return status.messages.find(([type]) => type === "execution_error")?.[1];
}
