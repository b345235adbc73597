import { expect, test } from "vitest";
import { findPlatform, type Place } from "../../../../handler/adapters/platforms.ts";
import { loadConfig, withDefaults } from "../../../../handler/config.ts";
import { graceSeconds } from "../../../../handler/lifecycle/grace.ts";

const NOWHERE: Place = { argv: ["node", "handler.mjs", "serve"], exists: () => false };
const IN_SAGEMAKER: Place = { ...NOWHERE, exists: (path) => path === "/opt/ml" };

function found(environment: Record<string, string>, place = NOWHERE) {
  const config = loadConfig(environment);
  const platform = findPlatform(config, place);
  const { HOST, PORT } = withDefaults(config, platform.defaults?.(environment) ?? {});
  return [platform.name, HOST, PORT];
}

const ROWS: [environment: Record<string, string>, name: string, host: string, port: number][] = [
  [{}, "http", "127.0.0.1", 3000],
  [{ PORT: "4000", HOST: "0.0.0.0" }, "http", "0.0.0.0", 4000],
  [{ SAGEMAKER_BIND_TO_PORT: "8081" }, "sagemaker", "::", 8081],
  [{ SALAD_CONTAINER_GROUP_ID: "g" }, "salad", "::", 3000],
  [{ RUNPOD_ENDPOINT_ID: "e", RUNPOD_POD_ID: "p" }, "runpod-load-balancing", "::", 80],
  [{ RUNPOD_ENDPOINT_ID: "e", PORT: "5000" }, "runpod-load-balancing", "::", 5000],
  [{ K_SERVICE: "s", K_REVISION: "r", PORT: "8080" }, "container", "::", 8080],
  [{ K_SERVICE: "s", PORT: "9000" }, "container", "::", 9000],
  [{ CONTAINER_APP_NAME: "a" }, "container", "::", 8080],
  [{ MODAL_TASK_ID: "t" }, "container", "::", 8080],
  [{ KUBERNETES_SERVICE_HOST: "10.0.0.1" }, "container", "::", 8080],
  [{ AWS_LAMBDA_RUNTIME_API: "127.0.0.1:9001" }, "lambda", "127.0.0.1", 3000],
  [{ AWS_LAMBDA_RUNTIME_API: "127.0.0.1:9001", AWS_LWA_PORT: "8080" }, "http", "127.0.0.1", 3000],
  [{ RUNPOD_WEBHOOK_GET_JOB: "https://r/job-take/w", RUNPOD_ENDPOINT_ID: "e" }, "runpod", "127.0.0.1", 3000],
  [{ RUNPOD_ENDPOINT_ID: "e", RUNPOD_REALTIME_PORT: "8000" }, "runpod-api", "127.0.0.1", 3000],
  [{ SQS_QUEUE_URL: "https://q" }, "sqs", "127.0.0.1", 3000],
  // In the contract's order.
  [{ AWS_LAMBDA_RUNTIME_API: "h", RUNPOD_WEBHOOK_GET_JOB: "https://r" }, "lambda", "127.0.0.1", 3000],
  [{ RUNPOD_WEBHOOK_GET_JOB: "https://r", SAGEMAKER_BIND_TO_PORT: "8080" }, "runpod", "127.0.0.1", 3000],
  [{ SAGEMAKER_BIND_TO_PORT: "8080", SQS_QUEUE_URL: "https://q" }, "sagemaker", "::", 8080],
  [{ SQS_QUEUE_URL: "https://q", SALAD_CONTAINER_GROUP_ID: "g" }, "sqs", "127.0.0.1", 3000],
  [{ SAGEMAKER_BIND_TO_PORT: "8080", KUBERNETES_SERVICE_HOST: "h" }, "sagemaker", "::", 8080],
  [{ SALAD_CONTAINER_GROUP_ID: "g", KUBERNETES_SERVICE_HOST: "h" }, "salad", "::", 3000],
  [{ RUNPOD_ENDPOINT_ID: "e", KUBERNETES_SERVICE_HOST: "h" }, "runpod-load-balancing", "::", 80],
  // What is set by hand wins.
  [{ HANDLER_MODE: "http", K_SERVICE: "s" }, "http", "127.0.0.1", 3000],
  [{ HANDLER_MODE: "sagemaker" }, "sagemaker", "::", 8080],
];

test.each(ROWS)("%o is %s, on %s and port %i", (environment, ...row) => {
  expect(found(environment)).toEqual(row);
});

test("SageMaker is where `serve` was asked for and /opt/ml exists", () => {
  expect(found({}, IN_SAGEMAKER)).toEqual(["sagemaker", "::", 8080]);
  expect(found({}, { ...IN_SAGEMAKER, argv: ["node", "handler.mjs"] })).toEqual(["http", "127.0.0.1", 3000]);
});

test("a mode that does not exist is refused with those that do", () => {
  expect(() => found({ HANDLER_MODE: "fax" })).toThrow(/there is no fax; there are: .*sagemaker.*http/);
});

test.each([
  [{}, 25],
  [{ K_SERVICE: "s" }, 8],
  [{ CLOUD_RUN_JOB: "j" }, 8],
  [{ CLOUD_RUN_WORKER_POOL: "w" }, 8],
  [{ ECS_AGENT_URI: "http://a" }, 25],
  [{ SAGEMAKER_BIND_TO_PORT: "8080" }, 25],
  [{ K_SERVICE: "s", SHUTDOWN_GRACE_SECONDS: "300" }, 300],
])("after SIGTERM, %o leaves %i s", (environment, seconds) => {
  const defaults = { SHUTDOWN_GRACE_SECONDS: graceSeconds(environment) };
  expect(withDefaults(loadConfig(environment), defaults).SHUTDOWN_GRACE_SECONDS).toBe(seconds);
});
