/** What a platform is to the rest: it decodes its events to invocations, encodes their results, and keeps its own promises. */
import type { Logger } from "pino";
import type { Config } from "../config.ts";
import type { Endpoint } from "../endpoint.ts";
import type { Metrics } from "../metrics.ts";
import type { ObjectStore } from "../outputs/s3.ts";

export interface AdapterContext {
  endpoint: Endpoint;
  config: Config;
  /** Opens the object store, at the first call. */
  openStore: () => Promise<ObjectStore>;
  log: Logger;
  /** What `/metrics` answers, where METRICS asks for it. */
  metrics?: Metrics | undefined;
}

/** A platform's work, while it comes. */
export interface Intake {
  /** Takes nothing more; what was taken is still answered. Called once; the endpoint drains when it resolves, or soon anyway. */
  stop(): void | Promise<void>;
  /** Resolves when the platform has every answer and nothing is open; called after the endpoint drained, with the rest of the grace. */
  close(): Promise<void>;
  /** Resolves with the exit code when there will be no more work for this process; without it, work may always come. */
  readonly finished?: Promise<number>;
}

/** The one export of a platform's file that is not a table of settings. */
export interface Adapter {
  /** Begins at once, also while the engine starts. @throws ConfigError of the platform's own settings. */
  start(context: AdapterContext): Promise<Intake>;
}
