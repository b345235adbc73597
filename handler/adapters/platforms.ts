/** Where this worker runs: which platform's adapter takes the work in. The first that recognises its environment is it. */
import { type Config, ConfigError } from "../config.ts";
import type { Adapter } from "./adapter.ts";

interface Platform {
  /** Whether the environment is this platform's. */
  detects(environment: Config["environment"]): boolean;
  /** Whether health is answered over HTTP beside the platform's own way of taking work. */
  hasProbes: boolean;
  /** Nothing of a platform is loaded on another. */
  load(): Promise<Adapter>;
}

/** In the order in which they are tried; a new platform needs a line here. */
export const PLATFORMS: Readonly<Record<string, Platform>> = {
  "runpod-api": {
    detects: ({ RUNPOD_REALTIME_PORT: port, SERVE_API_LOCALLY: isServed }) => Number(port) > 0 || isServed === "true",
    hasProbes: false,
    load: async () => (await import("./runpod/local-api.ts")).localApi,
  },
  runpod: {
    detects: ({ RUNPOD_WEBHOOK_GET_JOB: address }) => Boolean(address),
    hasProbes: true,
    load: async () => (await import("./runpod/runpod.ts")).runpod,
  },
  http: {
    detects: () => true,
    hasProbes: false,
    load: async () => (await import("./http/server.ts")).http,
  },
};

/** @throws ConfigError when HANDLER_MODE names none. */
export function findPlatform({ HANDLER_MODE: mode, environment }: Config): Platform & { name: string } {
  const name = mode ?? Object.keys(PLATFORMS).find((candidate) => PLATFORMS[candidate]!.detects(environment))!;
  const platform = PLATFORMS[name];
  if (platform) return { name, ...platform };
  throw new ConfigError(`HANDLER_MODE: there is no ${name}; there are: ${Object.keys(PLATFORMS).join(", ")}`);
}
