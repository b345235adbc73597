/** RunPod's queue endpoints: this worker pulls its jobs and listens on nothing. */
import { randomUUID } from "node:crypto";
import { readSettings } from "../../config.ts";
import type { Adapter } from "../adapter.ts";
import { Addresses } from "./addresses.ts";
import { JobServer } from "./job-server.ts";
import { Pings } from "./pings.ts";
import { SETTINGS } from "./settings.ts";
import { RunpodWorker } from "./worker.ts";

export const runpod: Adapter = {
  async start({ endpoint, config, log }) {
    const settings = readSettings(SETTINGS, config.environment);
    const { RUNPOD_AI_API_KEY: apiKey, RUNPOD_POD_ID: podId, RUNPOD_WEBHOOK_PING: ping } = settings;
    const addresses = new Addresses({
      take: settings.RUNPOD_WEBHOOK_GET_JOB,
      done: settings.RUNPOD_WEBHOOK_POST_OUTPUT,
      ping,
      workerId: podId ?? randomUUID(),
    });
    const pings =
      ping === undefined || podId === undefined || apiKey === undefined
        ? undefined
        : new Pings({
            addresses,
            apiKey,
            intervalMs: settings.RUNPOD_PING_INTERVAL,
            sdkVersion: settings.RUNPOD_SDK_VERSION,
            onEnd: (err) => log.error({ err }, "the thread that pings RunPod ended"),
          });
    const worker = new RunpodWorker({
      endpoint,
      server: new JobServer({
        addresses,
        apiKey,
        onRetry: (jobId, reason) => log.warn({ jobId, reason }, "a result is not delivered yet"),
      }),
      log,
      onJobs: (ids) => pings?.list(ids),
      isReplacedAfterJob: settings.REFRESH_WORKER,
      answersInterrupted: settings.RUNPOD_ANSWER_INTERRUPTED,
    });
    return {
      stop: () => worker.stop(),
      close: async () => {
        await worker.close();
        const { failure } = endpoint.engine.supervisor;
        await (failure ? pings?.unhealthy(failure.code, failure.message) : pings?.stop());
      },
      finished: worker.finished,
    };
  },
};
