/** Waits for an engine to answer, as long as it makes progress: a cold start may take minutes, a dead one must not. */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { ComfyClient } from "./comfyui/client.ts";
import { EndpointError } from "./errors.ts";

const POLL_MS = 100;

/**
 * Resolves when the server answers.
 * @param progressMark changes whenever the engine makes progress.
 * @param stallMs how long it may stand still.
 * @throws EndpointError `comfyui_start_failed` after a stall; the signal's reason when it fires.
 */
export async function waitUntilServing(
  client: ComfyClient,
  { progressMark, stallMs, signal }: { progressMark(): string; stallMs: number; signal: AbortSignal },
): Promise<void> {
  let mark = progressMark();
  let movedAt = Date.now();
  while (!(await client.isServing())) {
    signal.throwIfAborted();
    const next = progressMark();
    if (next !== mark) movedAt = Date.now();
    mark = next;
    if (Date.now() - movedAt > stallMs) {
      throw new EndpointError(
        "comfyui_start_failed",
        `ComfyUI made no progress for ${stallMs / 1000} s during its start`,
      );
    }
    await sleep(POLL_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
  signal.throwIfAborted();
}

/** CPU time and bytes read by a process so far, where the system tells; a start that reads gigabytes prints nothing meanwhile. */
export function resourceMark(pid: number | undefined): string {
  try {
    const [, , , , , , , , , , , user, system] = readFileSync(`/proc/${pid}/stat`, "utf8")
      .split(") ")
      .at(-1)!
      .split(" ");
    const read = readFileSync(`/proc/${pid}/io`, "utf8").match(/rchar: (\d+)/)?.[1];
    return `${user} ${system} ${read}`;
  } catch {
    return "";
  }
}
