/** Every right that template.yaml gives, written down once more: whoever widens one has to say so here. */
import { describe, expect, test } from "vitest";
import { resolveStack } from "./resolve.ts";
import { managedPoliciesOf, shown, statementsOf, takersOf } from "./rights.ts";

const STACKS = { ecs: stackOf("ecs"), lambda: stackOf("lambda") };

function stackOf(mode: string) {
  return resolveStack({ ImageUri: "worker:1", ComputeMode: mode });
}

const WORKER = [
  "WorkerRole: sqs:ReceiveMessage sqs:DeleteMessage sqs:ChangeMessageVisibility sqs:GetQueueAttributes on <JobQueue.Arn>",
  "WorkerRole: s3:PutObject s3:AbortMultipartUpload on <Bucket.Arn>/outputs/* <Bucket.Arn>/results/* <Bucket.Arn>/crashes/*",
  "WorkerRole: s3:GetObject on <Bucket.Arn>/inputs/* <Bucket.Arn>/results/* <Bucket.Arn>/crashes/*",
  "WorkerRole: s3:ListBucket on <Bucket.Arn>",
];
const CALLER = [
  "CallerPolicy: sqs:SendMessage on <JobQueue.Arn>",
  "CallerPolicy: s3:PutObject s3:AbortMultipartUpload on <Bucket.Arn>/inputs/*",
  "CallerPolicy: s3:GetObject on <Bucket.Arn>/outputs/* <Bucket.Arn>/results/*",
  "CallerPolicy: s3:ListBucket on <Bucket.Arn>",
];
const TOPIC = "AlarmTopicPolicy: sns:Publish on <AlarmTopic>";
const TASKS = "arn:aws:ecs:eu-central-1:123456789012:task/<Cluster>/*";
const IMAGES = "arn:aws:ecr:eu-central-1:123456789012:repository/*";

const RIGHTS = {
  ecs: [
    ...WORKER,
    `WorkerRole: ecs:UpdateTaskProtection on ${TASKS}`,
    "ExecutionRole: ecr:GetAuthorizationToken on *",
    `ExecutionRole: ecr:BatchCheckLayerAvailability ecr:BatchGetImage ecr:GetDownloadUrlForLayer on ${IMAGES}`,
    "ExecutionRole: logs:CreateLogStream logs:PutLogEvents on <LogGroup.Arn>",
    "InfrastructureRole: iam:PassRole on <InstanceRole.Arn>",
    "KeepAwakeRole: sqs:SetQueueAttributes on <JobQueue.Arn>",
    ...CALLER,
    TOPIC,
  ],
  lambda: [...WORKER, "WorkerRole: logs:CreateLogStream logs:PutLogEvents on <LogGroup.Arn>", ...CALLER, TOPIC],
};

/** Rights on everything, with the reason why AWS takes no less. */
const ON_EVERYTHING = {
  "ExecutionRole: ecr:GetAuthorizationToken on *": "the action has no resource: a login is to the whole registry",
};

/** Policies that AWS keeps and that hold `*` themselves, with the reason why they are not written out here. */
const BY_AWS = {
  ecs: {
    InstanceRole: ["AmazonECSInstanceRolePolicyForManagedInstances"], // what the agent of an image that AWS builds and renews calls
    InfrastructureRole: ["AmazonECSInfrastructureRolePolicyForManagedInstances"], // what ECS calls to run instances, bound to its own tags
  },
  lambda: {
    OperatorRole: ["AWSLambdaManagedEC2ResourceOperator"], // the same of Lambda, bound to instances that it manages
  },
};

const TAKERS = {
  ecs: {
    WorkerRole: "ecs-tasks.amazonaws.com",
    ExecutionRole: "ecs-tasks.amazonaws.com",
    InstanceRole: "ec2.amazonaws.com",
    InfrastructureRole: "ecs.amazonaws.com",
    KeepAwakeRole: "scheduler.amazonaws.com",
  },
  lambda: { WorkerRole: "lambda.amazonaws.com", OperatorRole: "lambda.amazonaws.com" },
};

describe.each(["ecs", "lambda"] as const)("in the mode %s", (mode) => {
  const statements = statementsOf(STACKS[mode]);
  const allowed = statements.filter(({ effect }) => effect === "Allow");

  test("these are all the rights", () => expect(allowed.map(shown).sort()).toEqual(RIGHTS[mode].toSorted()));

  test("none is on everything but where AWS takes no less, and none is to do everything", () => {
    const wide = allowed.filter(({ resources }) => resources.some((resource) => /^\*|:\*+$|:::\*/.test(resource)));
    expect(wide.map(shown).filter((line) => !(line in ON_EVERYTHING))).toEqual([]);
    expect(allowed.filter(({ actions }) => actions.some((action) => action.includes("*"))).map(shown)).toEqual([]);
  });

  test("AWS's own policies are these", () => expect(managedPoliciesOf(STACKS[mode])).toEqual(BY_AWS[mode]));

  test("each role is taken by one service of AWS", () => expect(takersOf(STACKS[mode])).toEqual(TAKERS[mode]));

  test("queues and bucket are closed to whoever comes without TLS", () => {
    const denied = statements.filter(({ effect }) => effect === "Deny");
    const condition = { Bool: { "aws:SecureTransport": "false" } };
    for (const statement of denied) expect(statement).toMatchObject({ principal: "*", condition });
    expect(denied.map(shown)).toEqual([
      "QueuePolicy: sqs:* on <JobQueue.Arn>",
      "DeadLetterQueuePolicy: sqs:* on <DeadLetterQueue.Arn>",
      "BucketPolicy: s3:* on <Bucket.Arn> <Bucket.Arn>/*",
    ]);
  });
});

test("each reason for a right on everything still stands for one", () => {
  const lines = Object.values(STACKS).flatMap((stack) => statementsOf(stack).map(shown));
  expect(Object.keys(ON_EVERYTHING).filter((line) => !lines.includes(line))).toEqual([]);
});

test("services of AWS act only for this account, where they say for whom they act", () => {
  const [topic] = statementsOf(STACKS.ecs).filter(({ holder }) => holder === "AlarmTopicPolicy");
  expect(topic!.condition).toEqual({ StringEquals: { "aws:SourceAccount": "123456789012" } });
  const pass = statementsOf(STACKS.ecs).find(({ actions }) => actions.includes("iam:PassRole"));
  expect(pass!.condition).toEqual({ StringEquals: { "iam:PassedToService": "ec2.amazonaws.com" } });
});
