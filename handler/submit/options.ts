/** What the command line of `submit` says, and what the environment says besides. */
import { parseArgs } from "node:util";
import { regionOf } from "../adapters/sqs/queue.ts";
import { SETTINGS } from "../adapters/sqs/settings.ts";
import { type Config, ConfigError, loadConfig, readSettings } from "../config.ts";
import { invocationId } from "../request/invocation-id.ts";

export const USAGE = `usage: comfy-endpoint submit FILE [options]   send one payload (- is stdin) to the workers of an SQS queue, print its result
  --queue URL      their queue; default: SQS_QUEUE_URL
  --bucket NAME    bucket of their results; default: S3_BUCKET
  --id ID          of the invocation; default: the payload's own, else a random one. What has a result is not sent again
  --wait SECONDS   for the result, at most; default: 1800
  --no-wait        print where the result will be, and end
  --out DIR        save the outputs as files
S3_PREFIX, AWS_REGION, AWS_ENDPOINT_URL and the credentials are read as by a worker.
exit codes: 0 done (or sent), 1 may succeed when tried again, 2 will not`;

export interface Submission {
  /** A file, or `-` for stdin. */
  source: string;
  id: string | undefined;
  /** Undefined: nobody waits. */
  waitSeconds: number | undefined;
  outDir: string | undefined;
  queueUrl: string;
  /** Another service than AWS's for the queue. */
  queueEndpoint: string | undefined;
  config: Config;
}

const DEFAULT_WAIT_SECONDS = 1800;
/** Node's timers hold 31 bits of milliseconds. */
const MAX_WAIT_SECONDS = 2_000_000;

/** Undefined when help is asked for. @throws ConfigError that says what is missing or wrong. */
export function readSubmission(args: readonly string[]): Submission | undefined {
  const { values, positionals } = parse(args);
  if (values.help) return undefined;
  const [source, ...more] = positionals;
  if (source === undefined || more.length > 0) throw new ConfigError(USAGE);
  const given = loadConfig(undefined, {
    ...(values.queue !== undefined && { SQS_QUEUE_URL: values.queue }),
    ...(values.bucket !== undefined && { S3_BUCKET: values.bucket }),
  });
  const waitSeconds = values["no-wait"] ? undefined : readSeconds(values.wait);
  if (!given.environment["SQS_QUEUE_URL"])
    throw new ConfigError("SQS_QUEUE_URL: name the queue that the workers take from, or give it as --queue URL");
  if (waitSeconds !== undefined && given.S3_BUCKET === undefined)
    throw new ConfigError(
      "S3_BUCKET: name the bucket of the results, or give it as --bucket NAME; or do not wait for one (--no-wait)",
    );
  const { SQS_QUEUE_URL: queueUrl, AWS_ENDPOINT_URL_SQS: queueEndpoint } = readSettings(SETTINGS, given.environment);
  const config = inRegionOf(queueUrl, given);
  return { source, id: readId(values.id), waitSeconds, outDir: values.out, queueUrl, queueEndpoint, config };
}

function parse(args: readonly string[]) {
  const text = { type: "string" } as const;
  const flag = { type: "boolean" } as const;
  const options = { queue: text, bucket: text, id: text, wait: text, "no-wait": flag, out: text, help: flag };
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options });
  } catch (error) {
    throw new ConfigError(`${(error as Error).message}\n${USAGE}`);
  }
}

function readSeconds(text: string | undefined): number {
  if (text === undefined) return DEFAULT_WAIT_SECONDS;
  const seconds = text.trim() === "" ? Number.NaN : Number(text);
  if (seconds >= 0 && seconds <= MAX_WAIT_SECONDS) return seconds;
  throw new ConfigError(`--wait: must be a number of seconds, ${MAX_WAIT_SECONDS} at most`);
}

function readId(id: string | undefined): string | undefined {
  const { success, error } = invocationId.optional().safeParse(id);
  if (!success) throw new ConfigError(`--id: ${error.issues[0]!.message}`);
  return id;
}

/** Who names a queue and a bucket has said enough: the bucket is taken to be where the queue is. */
function inRegionOf(queueUrl: string, config: Config): Config {
  const region = regionOf(queueUrl);
  const { AWS_REGION: own, AWS_DEFAULT_REGION: other } = config.environment;
  return own || other || region === undefined ? config : { ...config, AWS_REGION: region };
}
