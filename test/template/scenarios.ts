/** What queues may bring, each as jobs and surroundings for the simulation; and the table of what becomes of them. */
import { table } from "../support/markdown.ts";
import { type Policy, readPolicy } from "./policy.ts";
import { resolveStack } from "./resolve.ts";
import { type Course, type Surroundings, simulate } from "./scaling.ts";
import type { Job } from "./simulated-queue.ts";

export interface Scenario {
  name: string;
  /** Template parameters that are not the defaults. */
  parameters?: Readonly<Record<string, string | number>>;
  surroundings: Partial<Surroundings> & { jobs: readonly Job[]; until: number };
}

const MINUTE = 60;
const HOUR = 60 * MINUTE;
/** When the first job comes. */
const START = 10 * MINUTE;

const USUAL: Omit<Surroundings, "jobs" | "until"> = {
  // Machine 1 min, image 3 min, ComfyUI and models 1 min: estimates.
  coldStartSeconds: 5 * MINUTE,
  warmStartSeconds: MINUTE,
  metricDelaySeconds: MINUTE,
  losses: [],
  protects: true,
  scaleOutHoldsBack: true,
};

const jobs = (count: number, workSeconds: number, job: Partial<Job> = {}): Job[] =>
  Array.from({ length: count }, () => ({ arrivesAt: START, workSeconds, ...job }));
/** One each so many seconds, in the middle of CloudWatch's minutes. */
const stream = (seconds: number, { everySeconds, workSeconds }: { everySeconds: number; workSeconds: number }): Job[] =>
  Array.from({ length: seconds / everySeconds }, (_, index) => ({
    arrivesAt: START + MINUTE / 3 + index * everySeconds,
    workSeconds,
  }));
/** As many in all, at times that are not regular but the same in each run. */
const irregular = (
  seconds: number,
  { everySeconds, workSeconds }: { everySeconds: number; workSeconds: number },
): Job[] => {
  let state = 1;
  const random = () => {
    state = (state * 48_271) % 0x7fffffff;
    return state / 0x7fffffff;
  };
  return stream(seconds, { everySeconds, workSeconds }).map((job) => ({
    ...job,
    arrivesAt: START + Math.floor(random() * seconds),
  }));
};

/** Whose number of workers goes up and down with the load. */
export const UNEVEN = "a job of 1 min each 30 s on average, 4 hours";

export const NEVER_STARTS = "2 jobs, and an image that never starts";

/** Those that a queue on GPUs meets, and those that other policies did badly in. */
export const SCENARIOS: readonly Scenario[] = [
  { name: "one job: 0 -> 1 -> 0", surroundings: { jobs: jobs(1, 14), until: 2 * HOUR } },
  {
    name: "one job after a night without any",
    surroundings: { jobs: jobs(1, 14, { arrivesAt: 12 * HOUR }), until: 14 * HOUR },
  },
  { name: "a burst of 200 jobs", surroundings: { jobs: jobs(200, 14), until: 3 * HOUR } },
  {
    name: "a burst of 200 jobs, 8 for each worker",
    parameters: { JobsPerWorker: 8, MaxWorkers: 20 },
    surroundings: { jobs: jobs(200, 14), until: 3 * HOUR },
  },
  {
    name: "100 jobs that never succeed, with 20 that do",
    surroundings: { jobs: [...jobs(100, 1, { isPoison: true }), ...jobs(20, 14)], until: 3 * HOUR },
  },
  {
    name: "a start that takes 20 minutes",
    surroundings: { jobs: jobs(3, 14), coldStartSeconds: 20 * MINUTE, until: 3 * HOUR },
  },
  {
    name: "Spot takes 3 of 4 busy machines, twice",
    surroundings: {
      jobs: jobs(40, MINUTE),
      losses: [7, 13].map((minute) => ({ at: START + minute * MINUTE, workers: 3 })),
      until: 3 * HOUR,
    },
  },
  {
    name: "a job of 14 minutes outlasts three short ones",
    surroundings: { jobs: [...jobs(1, 14 * MINUTE), ...jobs(3, 14)], until: 3 * HOUR },
  },
  {
    name: "a job of 5 s each minute, 2 hours",
    surroundings: { jobs: stream(2 * HOUR, { everySeconds: MINUTE, workSeconds: 5 }), until: 4 * HOUR },
  },
  {
    name: "a job of 1 min each 30 s, 2 hours",
    surroundings: { jobs: stream(2 * HOUR, { everySeconds: 30, workSeconds: MINUTE }), until: 4 * HOUR },
  },
  {
    name: UNEVEN,
    surroundings: { jobs: irregular(4 * HOUR, { everySeconds: 30, workSeconds: MINUTE }), until: 6 * HOUR },
  },
  {
    name: "every third minute without metrics, metrics 3 minutes late",
    surroundings: {
      jobs: jobs(60, MINUTE),
      metricDelaySeconds: 3 * MINUTE,
      isLostMinute: (minute) => minute % 3 === 0,
      until: 3 * HOUR,
    },
  },
  {
    name: NEVER_STARTS,
    surroundings: { jobs: jobs(2, 14), coldStartSeconds: 1000 * HOUR, until: 26 * HOUR },
  },
];

export const policyOf = ({ parameters = {} }: Pick<Scenario, "parameters">): Policy =>
  readPolicy(resolveStack({ ImageUri: "worker:1", ...parameters }));

/** @param changed what is not as usual. */
export const courseOf = (
  scenario: Scenario,
  changed: Partial<Surroundings> = {},
  policy = policyOf(scenario),
): Course => simulate(policy, { ...USUAL, ...scenario.surroundings, ...changed });

/** For docs/scaling.md. */
export function scalingTable(): string {
  const header = [
    "what comes",
    "first result",
    "last result",
    "longest wait",
    "most workers",
    "turns",
    "dead",
    "gone after",
    "machine time",
    "work",
  ];
  const rows = SCENARIOS.map((scenario) => {
    const course = courseOf(scenario);
    const first = Math.min(...scenario.surroundings.jobs.map(({ arrivesAt }) => arrivesAt));
    return [
      scenario.name,
      since(course.firstResultAt, first),
      since(course.lastResultAt, first),
      course.done === 0 ? "-" : minutes(course.longestWait),
      String(course.mostWorkers),
      String(course.turns),
      String(course.dead),
      since(course.emptyAt, course.lastResultAt ?? first),
      minutes(course.machineSeconds),
      minutes(course.workSeconds),
    ];
  });
  return table(header, rows);
}

const since = (at: number | undefined, start: number) => (at === undefined ? "-" : minutes(at - start));
const minutes = (seconds: number) => `${(seconds / MINUTE).toFixed(1)} min`;
