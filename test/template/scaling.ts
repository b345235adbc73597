/**
 * What the scaling of template.yaml does to a queue, second by second: CloudWatch's datapoints of each minute, late as they are,
 * the alarms, Application Auto Scaling with its cooldowns, ECS with its slow starts and its protection, workers and machines.
 */
import type { Policy, Rule } from "./policy.ts";
import { type FleetOptions, SimulatedFleet } from "./simulated-fleet.ts";
import { type Job, SimulatedQueue } from "./simulated-queue.ts";

/** What the template does not decide. Times are in seconds. */
export interface Surroundings extends FleetOptions {
  jobs: readonly Job[];
  until: number;
  /** Until a minute's datapoints can be seen. */
  metricDelaySeconds: number;
  /** So many minutes less than the others a policy's alarm sees, by the policy's name. */
  behind?: Readonly<Record<string, number>>;
  /** Minutes whose datapoints never come. */
  isLostMinute?(minute: number): boolean;
  losses: readonly { at: number; workers: number }[];
  /** AWS's words allow both: whether more workers hold back fewer during a cooldown, or only fewer do. */
  scaleOutHoldsBack: boolean;
}

export interface Course {
  jobs: number;
  done: number;
  dead: number;
  /** By the queue, which keeps a job only so long. */
  forgotten: number;
  /** By scaling in. */
  interrupted: number;
  firstResultAt: number | undefined;
  lastResultAt: number | undefined;
  /** From a job's arrival until it was begun for the last time. */
  longestWait: number;
  /** Each change of the number of workers wanted. */
  changes: readonly { at: number; workers: number }[];
  mostWorkers: number;
  /** From more to fewer or from fewer to more. */
  turns: number;
  /** When there was nobody left after the last job; undefined when there still is. */
  emptyAt: number | undefined;
  machineSeconds: number;
  workSeconds: number;
}

/** Of a minute, when the alarms are looked at. */
const EVALUATION_SECOND = 30;

export function simulate(policy: Policy, surroundings: Surroundings): Course {
  const { jobs, until, losses } = surroundings;
  const queue = new SimulatedQueue(policy);
  const fleet = new SimulatedFleet(queue, policy, surroundings);
  const scaling = new Scaling(policy, surroundings);
  const arrivals = jobs.toSorted((a, b) => a.arrivesAt - b.arrivesAt);
  let arrived = 0;
  let mostWorkers = 0;
  let emptyAt: number | undefined;
  for (let at = 0; at <= until; at++) {
    for (; arrivals[arrived] && arrivals[arrived]!.arrivesAt <= at; arrived++) queue.send(arrivals[arrived]!, at);
    if (policy.keepAwakeSeconds !== undefined && at % policy.keepAwakeSeconds === 0) queue.touch(at);
    queue.tick(at);
    for (const { workers } of losses.filter((loss) => loss.at === at)) fleet.lose(workers, at);
    if (at % 60 === 0) scaling.record(at, queue.sample(at));
    if (at % 60 === EVALUATION_SECOND) scaling.evaluate(at);
    fleet.tick(at, scaling.desired);
    mostWorkers = Math.max(mostWorkers, fleet.size);
    if (!fleet.isEmpty || !queue.isEmpty) emptyAt = undefined;
    else if (arrived === jobs.length) emptyAt ??= at;
  }
  return {
    jobs: jobs.length,
    done: queue.done.length,
    dead: queue.dead.length,
    forgotten: queue.forgotten.length,
    interrupted: fleet.interrupted,
    firstResultAt: queue.done[0]?.at,
    lastResultAt: queue.done.at(-1)?.at,
    longestWait: Math.max(...queue.done.map(({ job, at }) => at - job.arrivesAt - job.workSeconds)),
    changes: scaling.changes,
    mostWorkers,
    turns: countTurns(scaling.changes.map(({ workers }) => workers)),
    emptyAt,
    machineSeconds: fleet.machineSeconds,
    workSeconds: queue.done.reduce((sum, { job }) => sum + job.workSeconds, 0),
  };
}

type Datapoints = Readonly<Record<string, number>> | undefined;

/** CloudWatch and Application Auto Scaling. */
class Scaling {
  desired: number;
  readonly changes: { at: number; workers: number }[] = [];
  readonly #policy: Policy;
  readonly #surroundings: Surroundings;
  readonly #minutes: Datapoints[] = [];
  readonly #heldBackUntil = new Map<Rule, number>();

  constructor(policy: Policy, surroundings: Surroundings) {
    this.#policy = policy;
    this.#surroundings = surroundings;
    this.desired = policy.minWorkers;
  }

  record(at: number, datapoints: Datapoints): void {
    const minute = at / 60;
    this.#minutes[minute] = this.#surroundings.isLostMinute?.(minute) ? undefined : datapoints;
  }

  /** An alarm that stays in alarm calls its policy each minute. */
  evaluate(at: number): void {
    const { metricDelaySeconds, behind = {} } = this.#surroundings;
    for (const rule of this.#policy.rules) {
      const latest = Math.floor((at - metricDelaySeconds) / 60) - (behind[rule.name] ?? 0);
      const values = Array.from({ length: rule.periods }, (_, age) => this.#value(rule, latest - age));
      const breaches = values.filter((value) => (value === undefined ? rule.missingIsBreach : rule.isBreach(value)));
      const wanted = values[0] === undefined ? undefined : rule.workersFor(values[0]);
      if (breaches.length >= rule.datapoints && wanted !== undefined) this.#scale(rule, wanted, at);
    }
  }

  #value(rule: Rule, minute: number): number | undefined {
    const datapoints = this.#minutes[minute];
    const metrics = Object.entries(this.#policy.metrics).map(([id, { name }]) => [id, datapoints?.[name]]);
    return minute < 0 ? undefined : rule.value(Object.fromEntries(metrics));
  }

  #scale(rule: Rule, wanted: number, at: number): void {
    const { minWorkers, maxWorkers } = this.#policy;
    const target = Math.min(Math.max(wanted, minWorkers), maxWorkers);
    if (target === this.desired) return;
    const isFewer = target < this.desired;
    if (isFewer && at < (this.#heldBackUntil.get(rule) ?? 0)) return;
    if (isFewer || this.#surroundings.scaleOutHoldsBack) this.#heldBackUntil.set(rule, at + rule.cooldownSeconds);
    else this.#heldBackUntil.delete(rule);
    this.desired = target;
    this.changes.push({ at, workers: target });
  }
}

function countTurns(counts: readonly number[]): number {
  const directions = counts.map((count, index) => Math.sign(count - (counts[index - 1] ?? 0)));
  return directions.filter((direction, index) => index > 0 && direction !== directions[index - 1]).length;
}
