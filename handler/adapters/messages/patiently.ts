/** Waits for a service that fails, as long as there is time. */
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";

export interface Patience {
  /** Ends the waiting, and is thrown. */
  signal: AbortSignal;
  /** From then on a failure is final: there is no more time to wait. */
  leaving?: AbortSignal;
  log: Logger;
}

const PAUSE_MS = 1_000;
const MAX_PAUSE_MS = 30_000;

/**
 * Does something again until it works.
 * @param passes whether a failure may be over the next time.
 * @throws what it threw last; the signal's reason.
 */
export async function patiently<T>(
  work: () => Promise<T>,
  { signal, leaving, log }: Patience,
  passes: (error: unknown) => boolean,
): Promise<T> {
  const over = AbortSignal.any([signal, ...(leaving ? [leaving] : [])]);
  for (let pauseMs = PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS)) {
    signal.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      if (over.aborted || !passes(error)) throw error;
      log.warn({ err: error }, `trying again in ${pauseMs / 1000} s`);
      await delay(pauseMs, undefined, { signal: over }).catch(() => {});
    }
  }
}
