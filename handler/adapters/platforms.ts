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
  lambda: {
    // With AWS's Lambda Web Adapter in the image, events come as HTTP requests.
    detects: (environment) =>
      environment["AWS_LAMBDA_RUNTIME_API"] !== undefined &&
      !Object.keys(environment).some((name) => name.startsWith("AWS_LWA_")),
    hasProbes: false,
    load: async () => (await import("./lambda/lambda.ts")).lambda,
  },
  sqs: {
    detects: ({ SQS_QUEUE_URL: url }) => Boolean(url),
    hasProbes: true,
    load: async () => (await import("./sqs/sqs.ts")).sqs,
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
