/** What template.yaml deploys, in both modes. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { SETTINGS as LAMBDA_SETTINGS } from "../../handler/adapters/lambda/lambda.ts";
import { findPlatform } from "../../handler/adapters/platforms.ts";
import { SETTINGS as SQS_SETTINGS } from "../../handler/adapters/sqs/sqs.ts";
import { loadConfig, readSettings } from "../../handler/config.ts";
import { SETTINGS } from "../../handler/settings.ts";
import { ROOT } from "../support/source-files.ts";
import { containerEnvironment, propertiesOf, readPolicy, resourcesOf } from "./policy.ts";
import { brokenRules, type Fields, parseTemplate, resolveStack, TEMPLATE, TEMPLATE_TEXT } from "./resolve.ts";

const ECS = resolveStack({ ImageUri: "worker:1" });
const LAMBDA = resolveStack({ ImageUri: "worker:1", ComputeMode: "lambda" });
const GIVEN_NETWORK = { VpcId: "vpc-0a1", SubnetIds: "subnet-0a1,subnet-0b2" };
const NETWORK = ["Vpc", "SubnetA", "SubnetB", "SubnetC", "InternetGateway", "GatewayAttachment", "RouteTable"].concat([
  "DefaultRoute",
  "RoutesOfA",
  "RoutesOfB",
  "RoutesOfC",
  "S3Endpoint",
]);
const SHARED = ["JobQueue", "DeadLetterQueue", "QueuePolicy", "DeadLetterQueuePolicy", "Bucket", "BucketPolicy"].concat(
  ["CallerPolicy", "WorkerSecurityGroup", "LogGroup", "WorkerRole", "AlarmTopic", "AlarmTopicPolicy"],
  ["DeadLetterAlarm", "OldJobAlarm", "NoProgressAlarm", "Budget"],
);
const OF_ECS = ["ExecutionRole", "InstanceRole", "InstanceProfile", "InfrastructureRole", "Cluster", "Capacity"].concat(
  ["TaskDefinition", "Service", "ScalableTarget", "ScaleToBacklog", "BacklogAlarm", "ScaleToIdle", "IdleAlarm"],
  ["QueueKeepAwake", "KeepAwakeRole"],
);
const OF_LAMBDA = ["OperatorRole", "FunctionCapacity", "Function", "JobSource"];
const OUTPUTS = ["QueueUrl", "QueueArn", "DeadLetterQueueUrl", "BucketName", "CallerPolicyArn", "AlarmTopicArn"].concat(
  ["LogGroupName", "WorkerRoleArn"],
);

const container = (propertiesOf(ECS, "TaskDefinition")["ContainerDefinitions"] as Fields[])[0]!;

describe("what is there", () => {
  test.each([
    { mode: "ecs", stack: ECS, own: OF_ECS, outputs: ["ClusterName", "ServiceName"] },
    { mode: "lambda", stack: LAMBDA, own: OF_LAMBDA, outputs: ["FunctionName"] },
  ])("in the mode $mode, with a network of its own", ({ stack, own, outputs }) => {
    expect(Object.keys(stack.resources).sort()).toEqual([...SHARED, ...NETWORK, ...own].sort());
    expect(Object.keys(stack.outputs).sort()).toEqual([...OUTPUTS, ...outputs].sort());
  });

  test.each(["ecs", "lambda"])("in the mode %s, in a network that is there", (ComputeMode) => {
    const stack = resolveStack({ ImageUri: "worker:1", ComputeMode, ...GIVEN_NETWORK });
    const without = resolveStack({ ImageUri: "worker:1", ComputeMode });
    const gone = Object.keys(without.resources).filter((name) => !(name in stack.resources));
    expect(gone.sort()).toEqual(NETWORK.toSorted());
    const text = JSON.stringify([stack.resources["Capacity"], stack.resources["FunctionCapacity"]]);
    expect(text).toContain('["subnet-0a1","subnet-0b2"]');
    expect(propertiesOf(stack, "WorkerSecurityGroup")["VpcId"]).toBe("vpc-0a1");
  });

  test("a VPC and its subnets are given together", () => {
    expect(brokenRules({ ImageUri: "worker:1" })).toEqual([]);
    expect(brokenRules({ ImageUri: "worker:1", ...GIVEN_NETWORK })).toEqual([]);
    expect(brokenRules({ ImageUri: "worker:1", VpcId: "vpc-0a1" })).toHaveLength(1);
    expect(brokenRules({ ImageUri: "worker:1", SubnetIds: "subnet-0a1" })).toHaveLength(1);
  });

  test("mail and budget are there if they are wanted", () => {
    const stack = resolveStack({ ImageUri: "worker:1", AlarmEmail: "ops@example.com", MonthlyBudgetUsd: 0 });
    expect(stack.resources).toHaveProperty("AlarmSubscription");
    expect(stack.resources).not.toHaveProperty("Budget");
  });

  test("every combination of its conditions deploys: nothing names what is not there", () => {
    const choices: Fields[][] = [
      [{ ComputeMode: "ecs" }, { ComputeMode: "lambda" }],
      [{}, GIVEN_NETWORK],
      [{}, { MaxWorkers: 1 }],
      [{}, { AlarmEmail: "ops@example.com" }],
      [{}, { MonthlyBudgetUsd: 0 }],
    ];
    const combinations = choices.reduce<Fields[]>(
      (some, options) => some.flatMap((given) => options.map((option) => ({ ...given, ...option }))),
      [{ ImageUri: "worker:1" }],
    );
    expect(combinations).toHaveLength(32);
    for (const given of combinations) expect(Object.keys(resolveStack(given).resources).length).toBeGreaterThan(15);
    const broken = parseTemplate(TEMPLATE_TEXT.replace("Cluster: !Ref Cluster", "Cluster: !Ref Function"));
    expect(() => resolveStack({ ImageUri: "worker:1" }, broken)).toThrow("no Function in this deployment");
  });

  test("every parameter and every condition is used", () => {
    const names = [...Object.keys(TEMPLATE.Parameters), ...Object.keys(TEMPLATE.Conditions)];
    const body = TEMPLATE_TEXT.slice(TEMPLATE_TEXT.indexOf("\nConditions:"));
    const isUsed = (name: string) => new RegExp(`(!Ref |Condition:? |!If \\[|- |\\$\\{)${name}\\b`).test(body);
    expect(names.filter((name) => !isUsed(name))).toEqual([]);
  });
});

describe("the worker's variables", () => {
  const queue = "https://sqs.eu-central-1.amazonaws.com/123456789012/jobs";
  const real = (environment: Readonly<Record<string, string>>) =>
    Object.fromEntries(
      Object.entries(environment).map(([name, value]) => [
        name,
        value.replace("<JobQueue>", queue).replace("<Bucket>", "pictures"),
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
  ])("are settings that it has, with values that it takes, for the platform $platform", (given) => {
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
  });

  test("leave time to interrupt a job and to hand it back before ECS kills", () => {
    const { SHUTDOWN_GRACE_SECONDS: grace, COMFYUI_INTERRUPT_GRACE_SECONDS: interrupt } = loadConfig(
      real(containerEnvironment(ECS)),
    );
    expect(grace + interrupt).toBeLessThanOrEqual(Number(container["StopTimeout"]) - 10);
  });

  test("hold no secret, and no path of Lambda but in /tmp", () => {
    const names = [ECS, LAMBDA].flatMap((stack) => Object.keys(containerEnvironment(stack)));
    expect(names.filter((name) => /TOKEN|SECRET|PASSWORD|_KEY|AUTH/.test(name))).toEqual([]);
    const paths = Object.values(containerEnvironment(LAMBDA)).filter((value) => value.startsWith("/"));
    expect(paths.filter((path) => !path.startsWith("/tmp/"))).toEqual([]);
  });
});

describe("the queue", () => {
  test("gives a job up after MaxReceiveCount tries, and keeps those longer than others", () => {
    const queue = propertiesOf(ECS, "JobQueue");
    expect(queue["RedrivePolicy"]).toEqual({ deadLetterTargetArn: "<DeadLetterQueue.Arn>", maxReceiveCount: 5 });
    const kept = Number(propertiesOf(ECS, "DeadLetterQueue")["MessageRetentionPeriod"]);
    expect(kept).toBeGreaterThan(Number(queue["MessageRetentionPeriod"]));
  });

  test("of ECS's workers hides a job for as long as they think", () => {
    expect(propertiesOf(ECS, "JobQueue")["VisibilityTimeout"]).toBe(
      Number(containerEnvironment(ECS)["SQS_VISIBILITY_SECONDS"]),
    );
  });

  test("of a function hides a job for six times the function's time", () => {
    const timeout = Number(propertiesOf(LAMBDA, "Function")["Timeout"]);
    expect(propertiesOf(LAMBDA, "JobQueue")["VisibilityTimeout"]).toBe(6 * timeout);
  });

  test("is encrypted, and so is the one of the dead", () => {
    for (const name of ["JobQueue", "DeadLetterQueue"])
      expect(propertiesOf(ECS, name)).toMatchObject({ SqsManagedSseEnabled: true });
  });
});

describe("the bucket", () => {
  const bucket = propertiesOf(ECS, "Bucket");

  test("is private, encrypted, and outlives the stack, as the dead-letter queue does", () => {
    const publicAccess = Object.values(bucket["PublicAccessBlockConfiguration"] as Fields);
    expect(publicAccess).toEqual([true, true, true, true]);
    expect(JSON.stringify(bucket["BucketEncryption"])).toContain("AES256");
    const kept = Object.entries(ECS.resources).filter(([, { DeletionPolicy }]) => DeletionPolicy === "Retain");
    expect(kept.map(([name, { UpdateReplacePolicy }]) => [name, UpdateReplacePolicy])).toEqual([
      ["DeadLetterQueue", "Retain"],
      ["Bucket", "Retain"],
    ]);
  });

  test("forgets what the product puts there, and nothing else", () => {
    const rules = (bucket["LifecycleConfiguration"] as Fields)["Rules"] as Fields[];
    const expiring = rules.filter(({ ExpirationInDays }) => ExpirationInDays !== undefined);
    expect(expiring.map(({ Prefix, ExpirationInDays }) => [Prefix, ExpirationInDays])).toEqual(
      ["inputs/", "outputs/", "results/", "crashes/"].map((prefix) => [prefix, 30]),
    );
    expect(rules.map(({ Id }) => Id)).toContain("abandoned-uploads");
  });
});

describe("the machines", () => {
  test("have one GPU, and the worker takes it, not as root", () => {
    expect(container["ResourceRequirements"]).toEqual([{ Type: "GPU", Value: "1" }]);
    expect(container["User"]).toBe("10001:10001");
    const capacity = JSON.stringify(propertiesOf(ECS, "Capacity"));
    expect(capacity).toContain('"AcceleratorCount":{"Min":1,"Max":1}');
    expect(propertiesOf(LAMBDA, "Function")["AcceleratorConfig"]).toEqual({ AcceleratorMemorySize: 24 });
  });

  test("let nobody in, and out by HTTPS alone", () => {
    const { SecurityGroupIngress: ingress, SecurityGroupEgress: egress } = propertiesOf(ECS, "WorkerSecurityGroup");
    expect(ingress).toEqual([]);
    expect(egress).toMatchObject([{ IpProtocol: "tcp", FromPort: 443, ToPort: 443 }]);
    expect(containerEnvironment(ECS)["HOST"]).toBe("127.0.0.1");
  });

  test("are asked for health where it is answered", () => {
    const command = ((container["HealthCheck"] as Fields)["Command"] as string[]).join(" ");
    const { HOST, PORT } = containerEnvironment(ECS);
    expect(command).toContain(`http://${HOST}:${PORT}/health`);
  });
});

describe("the scaling", () => {
  const policy = readPolicy(ECS);

  test.each([0, 2])("is between MinWorkers (%i) and MaxWorkers, and begins at the former", (MinWorkers) => {
    const stack = resolveStack({ ImageUri: "worker:1", MinWorkers, MaxWorkers: 7 });
    expect(readPolicy(stack)).toMatchObject({ minWorkers: MinWorkers, maxWorkers: 7 });
    expect(propertiesOf(stack, "Service")["DesiredCount"]).toBe(MinWorkers);
  });

  test("has a step for each number of workers that MaxWorkers allows, as many as Application Auto Scaling takes", () => {
    const most = Number(TEMPLATE.Parameters["MaxWorkers"]!["MaxValue"]);
    const [backlog] = policy.rules;
    const counts = Array.from({ length: most }, (_, index) => index + 1);
    expect(counts.map((count) => backlog!.workersFor(count))).toEqual(counts);
    expect(backlog!.workersFor(1000)).toBe(most);
    expect(backlog!.workersFor(0)).toBeUndefined();
    expect(most).toBeLessThanOrEqual(20);
  });

  test.each([
    { visible: 1, inflight: 0, taken: 0, each: 1, wanted: 1 },
    { visible: 1, inflight: 4, taken: 0, each: 1, wanted: 5 },
    { visible: 9, inflight: 0, taken: 0, each: 4, wanted: 3 },
    { visible: 0, inflight: 0, taken: 3, each: 1, wanted: 1 },
    { visible: undefined, inflight: undefined, taken: undefined, each: 1, wanted: 0 },
  ])(
    "wants $wanted for $visible waiting, $inflight running, $taken taken, $each for each",
    ({ each, wanted, ...metrics }) => {
      const { rules } = readPolicy(resolveStack({ ImageUri: "worker:1", JobsPerWorker: each }));
      expect(rules[0]!.value(metrics)).toBe(wanted);
      expect(rules[0]!.isBreach(wanted)).toBe(wanted > 0);
    },
  );

  test("goes down only after IdleMinutes of nothing", () => {
    const idle = readPolicy(resolveStack({ ImageUri: "worker:1", IdleMinutes: 7 })).rules[1]!;
    expect(idle).toMatchObject({ periods: 7, datapoints: 7, periodSeconds: 60, missingIsBreach: true });
    expect(idle.workersFor(0)).toBe(0);
    const datapoints = { visible: 0, inflight: 0, taken: 0 };
    expect(idle.isBreach(idle.value(datapoints)!)).toBe(true);
    for (const name of Object.keys(datapoints))
      expect(idle.isBreach(idle.value({ ...datapoints, [name]: 1 })!)).toBe(false);
  });

  test("of a function is the function's own", () => {
    const stack = resolveStack({ ImageUri: "worker:1", ComputeMode: "lambda", MinWorkers: 1, MaxWorkers: 3 });
    const limits = { MinExecutionEnvironments: 1, MaxExecutionEnvironments: 3 };
    expect(propertiesOf(stack, "Function")["FunctionScalingConfig"]).toEqual(limits);
    expect(propertiesOf(stack, "JobSource")).toMatchObject({ BatchSize: 1, ScalingConfig: { MaximumConcurrency: 3 } });
  });

  test("of one function alone asks for no concurrency that Lambda refuses", () => {
    const stack = resolveStack({ ImageUri: "worker:1", ComputeMode: "lambda", MaxWorkers: 1 });
    expect(propertiesOf(stack, "JobSource")).not.toHaveProperty("ScalingConfig");
  });

  test("touches the queue more often than it goes dark", () => {
    expect(policy.keepAwakeSeconds).toBeLessThan(6 * 3600);
    const target = propertiesOf(ECS, "QueueKeepAwake")["Target"] as Fields;
    const queue = propertiesOf(ECS, "JobQueue");
    // What is set is what is there already: no drift.
    expect(JSON.parse(target["Input"] as string)).toEqual({
      QueueUrl: "<JobQueue>",
      Attributes: { ReceiveMessageWaitTimeSeconds: String(queue["ReceiveMessageWaitTimeSeconds"]) },
    });
  });
});

test("the page on AWS counts the alarms' metrics as they are billed", () => {
  const metrics = ([, { Properties }]: [string, { Properties: Fields }]) =>
    Properties["Metrics"] ? (Properties["Metrics"] as Fields[]).filter(({ MetricStat }) => MetricStat).length : 1;
  const [ecs, lambda] = [ECS, LAMBDA].map((stack) =>
    resourcesOf(stack, "AWS::CloudWatch::Alarm").reduce((sum, alarm) => sum + metrics(alarm), 0),
  );
  const page = readFileSync(join(ROOT, "docs/platforms/aws.md"), "utf8");
  expect(page).toContain(`${lambda} metrics, with \`ecs\` ${ecs}, ×`);
});

test("it is small enough to be sent as it is", () => expect(TEMPLATE_TEXT.length).toBeLessThanOrEqual(51_200));

test("every alarm is told to somebody", () => {
  for (const stack of [ECS, LAMBDA])
    for (const [name, { Properties }] of resourcesOf(stack, "AWS::CloudWatch::Alarm"))
      expect(Properties["AlarmActions"], name).toHaveLength(1);
});
