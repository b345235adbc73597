/** The variables that template.yaml gives a worker are settings of this product, with values that it takes. */
import { expect, test } from "vitest";
import { SETTINGS as LAMBDA_SETTINGS } from "../../handler/adapters/lambda/lambda.ts";
import { findPlatform } from "../../handler/adapters/platforms.ts";
import { SETTINGS as SQS_SETTINGS } from "../../handler/adapters/sqs/settings.ts";
import { loadConfig, readSettings } from "../../handler/config.ts";
import { SETTINGS } from "../../handler/settings.ts";
import { readSource } from "../support/source-files.ts";
import { containerEnvironment, propertiesOf } from "./policy.ts";
import { type Fields, resolveStack } from "./resolve.ts";

const ECS = resolveStack({ ImageUri: "worker:1" });
const LAMBDA = resolveStack({ ImageUri: "worker:1", ComputeMode: "lambda" });

const QUEUE_URL = "https://sqs.eu-central-1.amazonaws.com/123456789012/jobs";
const real = (environment: Readonly<Record<string, string>>) =>
  Object.fromEntries(
    Object.entries(environment).map(([name, value]) => [
      name,
      value.replace("<JobQueue>", QUEUE_URL).replace("<Bucket>", "pictures"),
    ]),
  );

test.each([
  { platform: "sqs", stack: ECS, table: SQS_SETTINGS, byPlatform: {} },
  {
    platform: "lambda",
    stack: LAMBDA,
    table: LAMBDA_SETTINGS,
    byPlatform: { AWS_LAMBDA_RUNTIME_API: "127.0.0.1:9001", AWS_LAMBDA_MAX_CONCURRENCY: "1" },
  },
])(
  "the variables are settings that the product has, with values that it takes, for the platform $platform",
  (given) => {
    const environment = real(containerEnvironment(given.stack));
    const known = Object.keys({ ...SETTINGS, ...given.table });
    expect(Object.keys(environment).filter((name) => !known.includes(name))).toEqual([]);
    const config = loadConfig({ ...environment, ...given.byPlatform });
    expect(() => readSettings(given.table, config.environment)).not.toThrow();
    expect(config).toMatchObject({ S3_BUCKET: "pictures", INVOCATION_TIMEOUT_SECONDS: 900 });
    expect(findPlatform(config).name).toBe(given.platform);
    // It would be the same without being told.
    const { HANDLER_MODE: _, ...untold } = config.environment;
    expect(findPlatform(loadConfig(untold)).name).toBe(given.platform);
  },
);

test("they leave time to interrupt a job and to hand it back before ECS kills", () => {
  const [worker] = propertiesOf(ECS, "TaskDefinition")["ContainerDefinitions"] as Fields[];
  const { SHUTDOWN_GRACE_SECONDS: grace, COMFYUI_INTERRUPT_GRACE_SECONDS: interrupt } = loadConfig(
    real(containerEnvironment(ECS)),
  );
  expect(grace + interrupt).toBeLessThanOrEqual(Number(worker!["StopTimeout"]) - 10);
});

test("they hold no secret, and no path of Lambda but in /tmp", () => {
  const names = [ECS, LAMBDA].flatMap((stack) => Object.keys(containerEnvironment(stack)));
  expect(names.filter((name) => /TOKEN|SECRET|PASSWORD|_KEY|AUTH/.test(name))).toEqual([]);
  const paths = Object.values(containerEnvironment(LAMBDA)).filter((value) => value.startsWith("/"));
  expect(paths.filter((path) => !path.startsWith("/tmp/"))).toEqual([]);
});

test("on Spot there is one more, which no table has: by it the worker looks out for EC2's notice", () => {
  const spot = containerEnvironment(resolveStack({ ImageUri: "worker:1", CapacityType: "SPOT" }));
  const more = Object.keys(spot).filter((name) => !(name in containerEnvironment(ECS)));
  expect(more).toEqual(["AWS_EC2_METADATA_SERVICE_ENDPOINT"]);
  expect(readSource("handler/lifecycle/spot.ts")).toContain(`environment["${more[0]}"]`);
});
