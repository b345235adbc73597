/** Who may do what in a deployment: every statement of its policies as one line. */
import { resourcesOf } from "./policy.ts";
import type { Fields, Stack, Value } from "./resolve.ts";

export interface Statement {
  /** The role, the policy, or the resource whose policy it is. */
  holder: string;
  effect: string;
  /** Only in the policy of a resource. */
  principal: Value | undefined;
  actions: string[];
  resources: string[];
  condition: Value | undefined;
}

const RESOURCE_POLICIES = ["AWS::SQS::QueuePolicy", "AWS::S3::BucketPolicy", "AWS::SNS::TopicPolicy"];

/** All but who may take a role. */
export function statementsOf(stack: Stack): Statement[] {
  const inline = resourcesOf(stack, "AWS::IAM::Role").flatMap(([name, { Properties }]) =>
    ((Properties["Policies"] ?? []) as Fields[]).map(({ PolicyDocument }) => ({ name, document: PolicyDocument })),
  );
  const own = resourcesOf(stack, "AWS::IAM::ManagedPolicy", ...RESOURCE_POLICIES).map(([name, { Properties }]) => ({
    name,
    document: Properties["PolicyDocument"],
  }));
  return [...inline, ...own].flatMap(({ name, document }) =>
    ((document as Fields)["Statement"] as Fields[]).map((statement) => ({
      holder: name,
      effect: statement["Effect"] as string,
      principal: statement["Principal"],
      actions: listOf(statement["Action"]),
      resources: listOf(statement["Resource"]),
      condition: statement["Condition"],
    })),
  );
}

/** `Role: action action on resource resource`. */
export const shown = ({ holder, actions, resources }: Statement): string =>
  `${holder}: ${actions.join(" ")} on ${resources.join(" ")}`;

/** Which service may take each role. */
export const takersOf = (stack: Stack): Record<string, Value> =>
  Object.fromEntries(
    resourcesOf(stack, "AWS::IAM::Role").map(([name, { Properties }]) => {
      const [statement] = (Properties["AssumeRolePolicyDocument"] as Fields)["Statement"] as Fields[];
      return [name, (statement!["Principal"] as Fields)["Service"]!];
    }),
  );

/** AWS's own policies by the role that has them. */
export const managedPoliciesOf = (stack: Stack): Record<string, string[]> =>
  Object.fromEntries(
    resourcesOf(stack, "AWS::IAM::Role").flatMap(([name, { Properties }]) => {
      const arns = (Properties["ManagedPolicyArns"] ?? []) as string[];
      return arns.length > 0 ? [[name, arns.map((arn) => arn.split("/").at(-1)!)]] : [];
    }),
  );

const listOf = (value: Value | undefined): string[] => (Array.isArray(value) ? value : [value]) as string[];
