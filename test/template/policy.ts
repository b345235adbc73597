/** The scaling of template.yaml, as numbers: alarms, steps, limits. Nothing of it is written down here. */
import { evaluate, type Lookup } from "./metric-math.ts";
import type { Fields, Resource, Stack, Value } from "./resolve.ts";

interface Step {
  lower: number;
  upper: number;
  workers: number;
}

/** A policy and the alarm that calls it. */
export interface Rule {
  name: string;
  cooldownSeconds: number;
  periodSeconds: number;
  /** So many of the last so many periods must be in breach. */
  datapoints: number;
  periods: number;
  isBreach(value: number): boolean;
  missingIsBreach: boolean;
  /** What the alarm sees in one period, by its metrics' ids. */
  value(metrics: Readonly<Record<string, number | undefined>>): number | undefined;
  /** Undefined when no step is meant for the value. */
  workersFor(value: number): number | undefined;
}

export interface Policy {
  minWorkers: number;
  maxWorkers: number;
  rules: readonly Rule[];
  /** Names of the metrics by their ids in the alarms. */
  metrics: Readonly<Record<string, { name: string; statistic: string }>>;
  /** How often the queue is touched when nobody else does; undefined: never. */
  keepAwakeSeconds: number | undefined;
  /** How long a machine stays without a worker. */
  machineIdleSeconds: number;
  visibilitySeconds: number;
  maxReceives: number;
  /** Of a job that nobody takes. */
  retentionSeconds: number;
  graceSeconds: number;
}

interface Metric extends Fields {
  Id: string;
  ReturnData: boolean;
}

const COMPARISONS: Readonly<Record<string, (value: number, threshold: number) => boolean>> = {
  GreaterThanOrEqualToThreshold: (value, threshold) => value >= threshold,
  LessThanOrEqualToThreshold: (value, threshold) => value <= threshold,
};

/** @throws Error for a kind of policy or alarm that this does not know. */
export function readPolicy(stack: Stack): Policy {
  const alarms = resourcesOf(stack, "AWS::CloudWatch::Alarm");
  const policies = resourcesOf(stack, "AWS::ApplicationAutoScaling::ScalingPolicy");
  const pairs = policies.map(([name, policy]) => {
    const callers = alarms.filter(([, { Properties }]) =>
      (Properties["AlarmActions"] as Value[]).includes(`<${name}>`),
    );
    if (callers.length !== 1) throw new Error(`${name} is called by ${callers.length} alarms`);
    return { name, policy: policy.Properties, alarm: callers[0]![1].Properties };
  });
  const target = propertiesOf(stack, "ScalableTarget");
  const queue = propertiesOf(stack, "JobQueue");
  const capacity = propertiesOf(stack, "Capacity")["ManagedInstancesProvider"] as Fields;
  return {
    minWorkers: Number(target["MinCapacity"]),
    maxWorkers: Number(target["MaxCapacity"]),
    rules: pairs.map(readRule),
    metrics: Object.assign({}, ...pairs.map(({ alarm }) => readMetrics(alarm))),
    keepAwakeSeconds: keepAwakeSeconds(stack),
    machineIdleSeconds: Number((capacity["InfrastructureOptimization"] as Fields)["ScaleInAfter"]),
    visibilitySeconds: Number(containerEnvironment(stack)["SQS_VISIBILITY_SECONDS"]),
    maxReceives: Number((queue["RedrivePolicy"] as Fields)["maxReceiveCount"]),
    retentionSeconds: Number(queue["MessageRetentionPeriod"]),
    graceSeconds: Number(containerEnvironment(stack)["SHUTDOWN_GRACE_SECONDS"]),
  };
}

function readRule({ name, policy, alarm }: { name: string; policy: Fields; alarm: Fields }): Rule {
  const config = policy["StepScalingPolicyConfiguration"] as Fields;
  if (policy["PolicyType"] !== "StepScaling" || config["AdjustmentType"] !== "ExactCapacity")
    throw new Error(`${name} is not a step scaling to an exact capacity`);
  const metrics = alarm["Metrics"] as Metric[];
  const [result, ...others] = metrics.filter(({ ReturnData }) => ReturnData);
  if (result === undefined || others.length > 0) throw new Error(`the alarm of ${name} has not one result`);
  const periods = metrics.flatMap(({ MetricStat }) => (MetricStat ? [Number((MetricStat as Fields)["Period"])] : []));
  if (new Set(periods).size !== 1) throw new Error(`the metrics of ${name} have several periods`);
  const threshold = Number(alarm["Threshold"]);
  const breaches = COMPARISONS[alarm["ComparisonOperator"] as string];
  if (!breaches) throw new Error(`${name}: ${alarm["ComparisonOperator"]} is not known here`);
  const steps = (config["StepAdjustments"] as Fields[]).map(readStep);
  return {
    name,
    cooldownSeconds: Number(config["Cooldown"]),
    periodSeconds: periods[0]!,
    datapoints: Number(alarm["DatapointsToAlarm"]),
    periods: Number(alarm["EvaluationPeriods"]),
    missingIsBreach: alarm["TreatMissingData"] === "breaching",
    isBreach: (value) => breaches(value, threshold),
    value: (datapoints) => valueById(result.Id, metrics, datapoints),
    workersFor: (value) => steps.find((step) => isIn(step, value - threshold))?.workers,
  };
}

/** @throws Error for an id that is not the alarm's. */
function valueById(id: string, metrics: readonly Metric[], datapoints: Readonly<Record<string, number | undefined>>) {
  const lookUp: Lookup = (name) => {
    const metric = metrics.find(({ Id }) => Id === name);
    if (!metric) throw new Error(`there is no metric ${name}`);
    return metric["Expression"] === undefined ? datapoints[name] : evaluate(metric["Expression"] as string, lookUp);
  };
  return lookUp(id);
}

/** A bound that is not there is open. */
const readStep = ({
  MetricIntervalLowerBound: lower = Number.NEGATIVE_INFINITY,
  MetricIntervalUpperBound: upper = Number.POSITIVE_INFINITY,
  ScalingAdjustment: workers,
}: Fields): Step => ({ lower: Number(lower), upper: Number(upper), workers: Number(workers) });

/** Above the threshold the lower bound belongs to a step, below it the upper one does. */
const isIn = ({ lower, upper }: Step, excess: number) =>
  lower >= 0 ? excess >= lower && excess < upper : excess > lower && excess <= upper;

const readMetrics = (alarm: Fields) =>
  Object.fromEntries(
    (alarm["Metrics"] as Metric[]).flatMap(({ Id, MetricStat }) => {
      if (!MetricStat) return [];
      const { Metric: metric, Stat: statistic } = MetricStat as { Metric: Fields; Stat: string };
      return [[Id, { name: metric["MetricName"] as string, statistic }]];
    }),
  );

function keepAwakeSeconds(stack: Stack): number | undefined {
  const expression = stack.resources["QueueKeepAwake"]?.Properties["ScheduleExpression"];
  if (expression === undefined) return undefined;
  if (expression !== "rate(1 hour)") throw new Error(`${expression} is not known here`);
  return 3600;
}

/** The variables that a worker gets, in either mode. */
export function containerEnvironment(stack: Stack): Readonly<Record<string, string>> {
  const task = stack.resources["TaskDefinition"]?.Properties;
  const variables = task
    ? ((task["ContainerDefinitions"] as Fields[])[0]!["Environment"] as Fields[]).map(({ Name, Value: value }) => [
        Name,
        String(value),
      ])
    : Object.entries((propertiesOf(stack, "Function")["Environment"] as Fields)["Variables"] as Fields).map(
        ([name, value]) => [name, String(value)],
      );
  return Object.fromEntries(variables);
}

export function propertiesOf(stack: Stack, name: string): Fields {
  const resource = stack.resources[name];
  if (!resource) throw new Error(`there is no ${name} in this deployment`);
  return resource.Properties;
}

export const resourcesOf = (stack: Stack, ...types: string[]): [name: string, resource: Resource][] =>
  Object.entries(stack.resources).filter(([, { Type }]) => types.includes(Type));
