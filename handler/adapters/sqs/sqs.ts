/** Work comes from an SQS queue; results go to S3, and their documents, if wished, to a second queue. */
import * as z from "zod";
import { ConfigError, readSettings } from "../../config.ts";
import { Results } from "../../outputs/results.ts";
import type { Setting } from "../../settings.ts";
import type { Adapter } from "../adapter.ts";
import { PAYLOAD_BUCKETS } from "../aws/payload-buckets.ts";
import { LONGEST_LEASE_SECONDS } from "./lease.ts";
import { openQueues } from "./queue.ts";
import { SqsWorker } from "./worker.ts";

export const SETTINGS = {
  SQS_QUEUE_URL: { schema: z.url(), description: "queue that the work comes from; makes this worker one of SQS" },
  SQS_VISIBILITY_SECONDS: {
    schema: z.coerce.number().int().min(2).max(LONGEST_LEASE_SECONDS).default(120),
    description:
      "how long a message stays hidden when its worker is lost; while one works on it, this is extended again and again",
  },
  SQS_RESULT_QUEUE_URL: {
    schema: z.url().optional(),
    description: "queue that gets each result's document; unset: they are in S3 alone",
  },
  AWS_ENDPOINT_URL_SQS: {
    schema: z.url().optional(),
    description: "another service than AWS's for the queues",
    aliases: ["AWS_ENDPOINT_URL"],
  },
  ...PAYLOAD_BUCKETS,
} as const satisfies Record<string, Setting>;

/** One run of these is a job of its own, over when there is no more to do. */
const BATCH_JOBS = ["AWS_BATCH_JOB_ID", "CLOUD_RUN_JOB", "CONTAINER_APP_JOB_EXECUTION_NAME"];

/** Takes nothing before the engine serves. */
export const sqs: Adapter = {
  async start({ endpoint, config, openStore, log }) {
    const settings = readSettings(SETTINGS, config.environment);
    const { SQS_QUEUE_URL: url, SQS_RESULT_QUEUE_URL: replyUrl } = settings;
    if (config.S3_BUCKET === undefined)
      throw new ConfigError("S3_BUCKET: results of messages go to S3; name their bucket");
    const queueAt = await openQueues(config, regionOf(url), settings.AWS_ENDPOINT_URL_SQS);
    return new SqsWorker({
      endpoint,
      config,
      openStore,
      results: new Results(config.S3_BUCKET, config.S3_PREFIX, openStore),
      queue: queueAt(url),
      replies: replyUrl === undefined ? undefined : queueAt(replyUrl),
      visibilitySeconds: settings.SQS_VISIBILITY_SECONDS,
      payloadBuckets: settings.S3_PAYLOAD_BUCKETS,
      endsWhenEmpty: BATCH_JOBS.some((name) => config.environment[name]),
      log,
    });
  },
};

/** Of AWS's own queues, whose requests are signed for their region. */
const regionOf = (url: string) => /^https:\/\/sqs\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?\//.exec(url)?.[1];
