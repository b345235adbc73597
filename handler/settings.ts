/** The table of settings: a name in the environment, what it may hold, what it means. */
import * as z from "zod";

export interface Setting {
  schema: z.ZodType;
  description: string;
  /** Names that users of comfyui-api and worker-comfyui already set. */
  aliases?: readonly string[];
  /** Never printed; may also be given as a file by `NAME_FILE`. */
  isSecret?: boolean;
}

export const text = z.string().min(1);
/** Node's timers hold 31 bits of milliseconds, and fire at once beyond that. */
const MAX_SECONDS = 2_000_000;
const seconds = (fallback: number) => z.coerce.number().min(0).max(MAX_SECONDS).default(fallback);
const count = (fallback: number) => z.coerce.number().int().min(0).default(fallback);

export const flag = (fallback: boolean) =>
  z.stringbool({ truthy: ["true", "1", "yes", "on"], falsy: ["false", "0", "no", "off"] }).default(fallback);

/** `["a", "b c"]`, or words separated by blanks. */
const words = z.string().transform((value, context) => {
  if (!value.trimStart().startsWith("[")) return value.split(/\s+/).filter(Boolean);
  try {
    return z.array(z.string()).parse(JSON.parse(value));
  } catch {
    context.addIssue("must be words separated by blanks, or a JSON array of strings");
    return z.NEVER;
  }
});

/** `user:password`, separated by commas; or one a line, in which case a password may hold commas. */
const credentials = z.string().transform((value, context) => {
  const pairs = value.split(value.includes("\n") ? "\n" : ",").map((pair) => pair.trim());
  const given = pairs.filter(Boolean);
  if (given.length === 0 || !given.every((pair) => /^[^:]+:./.test(pair))) {
    context.addIssue("must be user:password, several separated by commas or one a line");
    return z.NEVER;
  }
  return given;
});

const addresses = z
  .string()
  .transform((value) => value.split(/[\s,]+/).filter(Boolean))
  .pipe(z.array(z.url({ protocol: /^https?$/ })).min(1));

const list = z.string().transform((value) => value.split(/[\s,]+/).filter(Boolean));

export const SETTINGS = {
  HOST: {
    schema: text.default("127.0.0.1"),
    description: "address that the HTTP face listens on; `::` on platforms that bring requests from outside",
  },
  PORT: {
    schema: z.coerce.number().int().min(0).max(65_535).default(3000),
    description: "its port; 0 takes any free one. SageMaker, Cloud Run, Knative, Kubernetes ...: 8080; RunPod: 80",
  },
  API_TOKEN: {
    schema: text.optional(),
    description: "bearer token that every work route asks for; unset: no check",
    isSecret: true,
  },
  SDAPI_AUTH: {
    schema: credentials.optional(),
    description:
      "`user:password` that A1111's routes ask for (Basic) in place of the token; several separated by commas, or one a line",
    isSecret: true,
  },
  SDAPI_LENIENT: {
    schema: flag(false),
    description:
      "`true`: what an A1111 request asks for and cannot be had (a model, a sampler, a script, an option ...) is left aside with a warning in the answer, where it is otherwise refused",
  },
  SDAPI_STYLES_FILE: {
    schema: words.default([]),
    description:
      "A1111's style files (`styles.csv`), as words or a JSON array; `*` and `?` stand for any letters; read again by any of the `refresh` routes",
  },
  CORS_ORIGINS: {
    schema: list.default([]),
    description: "origins whose pages may call this worker from a browser, separated by commas; `*`: any; unset: none",
  },
  MAX_BODY_SIZE_MB: {
    schema: z.coerce.number().positive().default(100),
    description: "largest request body; a larger one is refused with 413 before it is read",
  },
  MAX_QUEUE_DEPTH: {
    schema: count(100),
    description: "invocations that may wait for the engine; one more is refused with 429. 0: no limit",
  },
  JOB_RETENTION_SECONDS: {
    schema: seconds(1800),
    description:
      "how long the result of work that was asked for under an id (`Idempotency-Key`, `Prefer: respond-async`, `/run` ...) is kept in memory",
  },
  MAX_JOBS_KEPT: { schema: count(100), description: "results that are kept so at most" },
  SAGEMAKER_ASYNC: {
    schema: flag(false),
    description:
      "`true` on an asynchronous SageMaker endpoint: `/invocations` may take an hour and answer at any size, where it otherwise keeps to 58 s and 5.5 MB",
  },
  READY_WHEN_BUSY: {
    schema: flag(true),
    description:
      "`false`: `/ready` says 503 while a prompt runs, for load balancers that spread work by readiness alone",
  },
  METRICS: {
    schema: flag(false),
    description:
      "`true`: `GET /metrics` has numbers of this worker and of each of its engines, as Prometheus reads them",
  },
  INVOCATION_TIMEOUT_SECONDS: {
    schema: z.coerce.number().positive().max(MAX_SECONDS).default(1800),
    description: "an invocation that takes longer is interrupted and answered 504",
  },
  SHUTDOWN_GRACE_SECONDS: {
    schema: seconds(25),
    description:
      "after SIGTERM, how long running invocations may go on before they are interrupted; 8 on Cloud Run, which kills after 10",
  },
  IDLE_EXIT_SECONDS: {
    schema: seconds(0),
    description: "a worker that has had nothing to do for so long exits with code 0; 0: never",
  },
  MAX_INVOCATIONS: {
    schema: count(0),
    description: "after so many the worker finishes what it has and exits with code 0; 0: any number",
  },
  HANDLER_MODE: {
    schema: text.optional(),
    description: "the platform whose work is taken (`http`, `sagemaker` ...); default: found out from the environment",
  },
  ENGINE: {
    schema: z.enum(["emulator", "comfyui"]).optional(),
    description: "`emulator` runs the embedded engine even if a ComfyUI is configured",
  },
  COMFYUI_HOME: {
    schema: text.optional(),
    description: "folder of a ComfyUI to run (holds main.py)",
    aliases: ["COMFY_HOME", "COMFYUI_INSTALL_PATH"],
  },
  COMFYUI_COMMAND: {
    schema: words.optional(),
    description: "command that starts a ComfyUI, as words or a JSON array; port and folders are appended",
    aliases: ["CMD"],
  },
  COMFYUI_URL: {
    schema: addresses.optional(),
    description: "address of a ComfyUI that somebody else runs; several, separated by commas, share the work",
  },
  COMFYUI_GPUS: {
    schema: list.default([]),
    description:
      "GPUs that get an engine each, as CUDA numbers them, separated by commas; `all`: every one there is; unset: one engine, which sees them all",
  },
  COMFYUI_ARGS: { schema: words.default([]), description: "further arguments for the engine" },
  COMFYUI_PYTHON: {
    schema: text.optional(),
    description: "interpreter for COMFYUI_HOME; default: its .venv or venv, else python3",
  },
  COMFYUI_PORT: {
    schema: z.coerce.number().int().min(0).max(65_535).default(0),
    description:
      "port of the engine on the loopback interface; 0 takes any free one; of several engines it is the first one's, and the next ones follow",
    aliases: ["COMFYUI_PORT_HOST"],
  },
  COMFYUI_MAX_RESTARTS: {
    schema: count(3),
    description: "crashes in a row that are answered by a restart; after one more the worker exits with code 1",
  },
  COMFYUI_START_STALL_SECONDS: {
    schema: z.coerce.number().positive().default(180),
    description:
      "a start without any progress (output, CPU time, reading) for so long has failed; there is no other limit",
  },
  COMFYUI_INTERRUPT_GRACE_SECONDS: {
    schema: z.coerce.number().positive().max(MAX_SECONDS).default(20),
    description:
      "an interrupted prompt that goes on for longer (a hung node, a very long kernel) costs the engine its life; it is restarted",
  },
  WARMUP_PROMPT_FILE: {
    schema: text.optional(),
    description:
      "graph (API format) that runs before the worker is ready; default: a 64x64 picture with the first checkpoint",
  },
  WARMUP_PROMPT_URL: { schema: z.url({ protocol: /^https?$/ }).optional(), description: "the same, fetched at start" },
  WARMUP_FAILURE: {
    schema: z.enum(["stop", "serve"]).default("stop"),
    description: "what a failed warm-up means: `stop` exits with code 1, `serve` logs a warning",
  },
  DATA_DIR: {
    schema: text.optional(),
    description:
      "folder for the engine's input, output and temporary files; default: a temporary folder, in memory when there is room",
  },
  INPUT_DIR: {
    schema: text.optional(),
    description: "the engine's input folder; default: `input` in COMFYUI_HOME, else in DATA_DIR",
  },
  OUTPUT_DIR: { schema: text.optional(), description: "the engine's output folder; default: `output` in DATA_DIR" },
  COMFY_ORG_API_KEY: {
    schema: text.optional(),
    description: "key of a comfy.org account for API nodes, where a request brings none",
    isSecret: true,
  },
  S3_BUCKET: {
    schema: text.optional(),
    description: "bucket for outputs and result documents; unset: outputs are returned inline",
  },
  S3_PREFIX: {
    schema: z.string().default(""),
    description: "put before every key, as it is",
    aliases: ["BUCKET_PREFIX"],
  },
  S3_PRESIGN_SECONDS: {
    schema: z.coerce.number().int().min(0).max(604_800).default(604_800),
    description: "life of the links to uploaded outputs; 0: no links",
  },
  AWS_ENDPOINT_URL: {
    schema: z.url().optional(),
    description:
      "another S3 service (MinIO, R2 ...), used with path-style addresses; without S3_BUCKET, `BUCKET_ENDPOINT_URL` may hold the bucket's name, before the host or as the path",
    aliases: ["BUCKET_ENDPOINT_URL"],
  },
  AWS_REGION: {
    schema: text.default("us-east-1"),
    description: "region of the bucket",
    aliases: ["AWS_DEFAULT_REGION"],
  },
  AWS_ACCESS_KEY_ID: {
    schema: text.optional(),
    description: "credentials for the bucket; default: the AWS SDK's own search",
    aliases: ["BUCKET_ACCESS_KEY_ID"],
  },
  AWS_SECRET_ACCESS_KEY: {
    schema: text.optional(),
    description: "credentials for the bucket",
    aliases: ["BUCKET_SECRET_ACCESS_KEY"],
    isSecret: true,
  },
  AWS_SESSION_TOKEN: { schema: text.optional(), description: "credentials for the bucket", isSecret: true },
  INLINE_MAX_MB: {
    schema: z.coerce.number().positive().max(350).default(256),
    description: "largest sum of outputs that is returned inline",
  },
  LOG_LEVEL: {
    schema: z.enum(["trace", "debug", "info", "warn", "error"]).default("info"),
    description: "least level that is logged",
  },
} as const satisfies Record<string, Setting>;
