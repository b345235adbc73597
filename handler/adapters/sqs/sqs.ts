/** Work comes from an SQS queue; results go to S3, and their documents, if wished, to a second queue. */
import { ConfigError, readSettings } from "../../config.ts";
import { Results } from "../../outputs/results.ts";
import type { Adapter } from "../adapter.ts";
import { openQueues } from "./queue.ts";
import { SETTINGS } from "./settings.ts";
import { SqsWorker } from "./worker.ts";

/** One run of these is a job of its own, over when there is no more to do. */
const BATCH_JOBS = ["AWS_BATCH_JOB_ID", "CLOUD_RUN_JOB", "CONTAINER_APP_JOB_EXECUTION_NAME"];

/** Takes nothing before the engine serves. */
export const sqs: Adapter = {
  async start({ endpoint, config, openStore, log }) {
    const settings = readSettings(SETTINGS, config.environment);
    const { SQS_QUEUE_URL: url, SQS_RESULT_QUEUE_URL: replyUrl } = settings;
    if (config.S3_BUCKET === undefined)
      throw new ConfigError("S3_BUCKET: results of messages go to S3; name their bucket");
    const queueAt = await openQueues(config, url, settings.AWS_ENDPOINT_URL_SQS);
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
