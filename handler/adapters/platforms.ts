/** Where this worker runs: which platform's adapter takes the work in. The first that recognises its environment is it. */
import { existsSync } from "node:fs";
import { type Config, ConfigError } from "../config.ts";
import type { Adapter } from "./adapter.ts";

type Environment = Config["environment"];

/** What else than the environment tells where a process runs. */
export interface Place {
  argv: readonly string[];
  exists(path: string): boolean;
}

interface Platform {
  /** Whether the environment is this platform's. */
  detects(environment: Environment, place: Place): boolean;
  /** Whether health is answered over HTTP beside the platform's own way of taking work. */
  hasProbes: boolean;
  /** What holds where the environment leaves a setting out. */
  defaults?(environment: Environment): Partial<Pick<Config, "HOST" | "PORT">>;
  /** Nothing of a platform is loaded on another. */
  load(): Promise<Adapter>;
}

const loadHttp = async () => (await import("./http/server.ts")).http;

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
  sagemaker: {
    detects: ({ SAGEMAKER_BIND_TO_PORT: port }, { argv, exists }) =>
      Boolean(port) || (argv.includes("serve") && exists("/opt/ml")),
    hasProbes: false,
    defaults: ({ SAGEMAKER_BIND_TO_PORT: port }) => ({ HOST: "::", PORT: Number(port) || 8080 }),
    load: loadHttp,
  },
  sqs: {
    detects: ({ SQS_QUEUE_URL: url }) => Boolean(url),
    hasProbes: true,
    load: async () => (await import("./sqs/sqs.ts")).sqs,
  },
  amqp: {
    detects: ({ AMQP_URL: url, AMQP_URL_FILE: file }) => Boolean(url || file),
    hasProbes: true,
    load: async () => (await import("./amqp.ts")).amqp,
  },
  salad: {
    detects: ({ SALAD_CONTAINER_GROUP_ID: group }) => Boolean(group),
    hasProbes: false,
    // Salad's gateway comes by IPv6.
    defaults: () => ({ HOST: "::" }),
    load: loadHttp,
  },
  "runpod-load-balancing": {
    detects: ({ RUNPOD_ENDPOINT_ID: endpoint }) => Boolean(endpoint),
    hasProbes: false,
    defaults: () => ({ HOST: "::", PORT: 80 }),
    load: loadHttp,
  },
  /** Cloud Run and Knative, Azure Container Apps, Modal, Kubernetes. */
  container: {
    detects: (environment) =>
      ["K_SERVICE", "CONTAINER_APP_NAME", "MODAL_TASK_ID", "KUBERNETES_SERVICE_HOST"].some((name) => environment[name]),
    hasProbes: false,
    defaults: () => ({ HOST: "::", PORT: 8080 }),
    load: loadHttp,
  },
  http: {
    detects: () => true,
    hasProbes: false,
    load: loadHttp,
  },
};

const HERE: Place = { argv: process.argv, exists: existsSync };

/** @throws ConfigError when HANDLER_MODE names none. */
export function findPlatform(
  { HANDLER_MODE: mode, environment }: Config,
  place: Place = HERE,
): Platform & { name: string } {
  const name = mode ?? Object.keys(PLATFORMS).find((candidate) => PLATFORMS[candidate]!.detects(environment, place))!;
  const platform = PLATFORMS[name];
  if (platform) return { name, ...platform };
  throw new ConfigError(`HANDLER_MODE: there is no ${name}; there are: ${Object.keys(PLATFORMS).join(", ")}`);
}
