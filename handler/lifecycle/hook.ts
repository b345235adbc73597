/** What a lifecycle hook sees, and what it may do. */
import type { AdapterContext } from "../adapters/adapter.ts";

export interface Departure {
  /** For the log. */
  reason: string;
  /** How long what runs may go on; without it, as long as after SIGTERM. */
  graceMs?: number;
}

export interface HookContext extends Pick<AdapterContext, "endpoint" | "config" | "log"> {
  /** Ends the worker: it takes no more work, finishes what it has, and exits with 0. */
  leave(departure: Departure): void;
}

/** @returns what ends it; undefined where it has nothing to do. */
export type Hook = (context: HookContext) => (() => void) | undefined;
