/** What template.yaml deploys, in both modes. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ROOT } from "../support/source-files.ts";
import { containerEnvironment, propertiesOf, resourcesOf } from "./policy.ts";
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
      [{}, { CapacityType: "SPOT" }],
      [{}, { AlarmEmail: "ops@example.com" }],
      [{}, { MonthlyBudgetUsd: 0 }],
    ];
    const combinations = choices.reduce<Fields[]>(
      (some, options) => some.flatMap((given) => options.map((option) => ({ ...given, ...option }))),
      [{ ImageUri: "worker:1" }],
    );
    expect(combinations).toHaveLength(64);
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

test("the page on AWS counts the alarms' metrics as they are billed", () => {
  const metrics = ([, { Properties }]: [string, { Properties: Fields }]) =>
    Properties["Metrics"] ? (Properties["Metrics"] as Fields[]).filter(({ MetricStat }) => MetricStat).length : 1;
  const [ecs, lambda] = [ECS, LAMBDA].map((stack) =>
    resourcesOf(stack, "AWS::CloudWatch::Alarm").reduce((sum, alarm) => sum + metrics(alarm), 0),
  );
  const page = readFileSync(join(ROOT, "docs/platforms/aws.md"), "utf8");
  expect(page).toContain(`${lambda} metrics, with \`ecs\` ${ecs}, ×`);
});

test.each(["Capacity", "FunctionCapacity"])(
  "the way to the internet is there before the machines of %s, and goes after them",
  (name) => {
    const stack = name in ECS.resources ? ECS : LAMBDA;
    const needed = new Set([name]);
    for (const each of needed) {
      const { DependsOn = [], Properties } = stack.resources[each]!;
      const named = [...JSON.stringify(Properties).matchAll(/<(\w+)[.>]/g)].map(([, other]) => other!);
      for (const other of [...named, ...[DependsOn].flat()]) needed.add(other);
    }
    const way = ["RoutesOfA", "RoutesOfB", "RoutesOfC", "DefaultRoute", "GatewayAttachment"];
    expect([...needed]).toEqual(expect.arrayContaining(way));
  },
);

test("it has none of the YAML that CloudFormation does not read: anchors, aliases, merges", () => {
  expect(TEMPLATE_TEXT.match(/(^|[\s[{,:-])([&*]\w|<<:)/gm)).toBeNull();
});

test("it is small enough to be sent as it is", () => expect(TEMPLATE_TEXT.length).toBeLessThanOrEqual(51_200));

test("every alarm is told to somebody", () => {
  for (const stack of [ECS, LAMBDA])
    for (const [name, { Properties }] of resourcesOf(stack, "AWS::CloudWatch::Alarm"))
      expect(Properties["AlarmActions"], name).toHaveLength(1);
});
