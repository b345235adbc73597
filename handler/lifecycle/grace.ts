/** How long a platform lets a process finish after SIGTERM. */
import type { Config } from "../config.ts";

/** Cloud Run kills after 10 s; ECS, SageMaker, Batch and Kubernetes after 30 s unless told otherwise. */
const CLOUD_RUN_SECONDS = 8;
const USUAL_SECONDS = 25;

/** The default of SHUTDOWN_GRACE_SECONDS: what the platform gives, less the time that an interrupted invocation takes to be answered. */
export function graceSeconds(environment: Config["environment"]): number {
  const isCloudRun = ["K_SERVICE", "CLOUD_RUN_JOB", "CLOUD_RUN_WORKER_POOL"].some((name) => environment[name]);
  return isCloudRun ? CLOUD_RUN_SECONDS : USUAL_SECONDS;
}
