/** Every situation that RunPod's own worker library was recorded in, and how we do there. */
import { test } from "vitest";
import recorded from "../fixtures/platforms/runpod/worker.json" with { type: "json" };
import type { Channel } from "./job-server.ts";

export interface Recorded {
  text: string;
  sent: { channel: Channel; target: string; headers?: Record<string, string>; body?: string }[];
  exit?: number;
}

export const RECORDED = recorded as unknown as Record<string, Recorded>;

const GENERATORS = "no counterpart: parts of a result are sent by generator handlers, and a prompt has one result";

/** `same`: we send what the library sends. */
export const SCENARIOS: Record<string, "same" | `better: ${string}` | `no counterpart: ${string}`> = {
  "idle-204": "same",
  "idle-204-at-once": "better: a second lies between two polls that are answered at once",
  "idle-400": "better: a second lies between two polls that are answered at once",
  "idle-html": "better: a second lies between two polls that are answered at once",
  "idle-bad-json": "better: a second lies between two polls that are answered at once",
  "idle-500": "better: polls that fail come at growing intervals",
  "idle-reset": "better: polls that fail come at growing intervals",
  "idle-429": "same",
  "idle-hang": "same",
  "job-ok": "same",
  "job-extra-keys": "better: the time limit of the job's policy holds",
  "job-while-busy": "same",
  "job-sync-blocks": "better: a running job is stopped",
  "result-text": "no counterpart: our results are objects",
  "result-empty": "no counterpart: our results are never empty",
  "result-none": "no counterpart: our results are never null",
  "result-err": "same",
  "result-err-list": "no counterpart: our errors are texts",
  "result-raising": "better: the error is a text for people, without a stack trace and the names of machines",
  "result-unserial": "no counterpart: our results are JSON",
  "result-refresh-in-result": "same",
  "refresh-worker-config": "same",
  "stream-sync": GENERATORS,
  "stream-async-aggregate": GENERATORS,
  "stream-yields-error": GENERATORS,
  "stream-raises": GENERATORS,
  "stream-500": GENERATORS,
  progress: "same",
  "progress-race": "better: progress never comes after the result",
  "concurrency-3": "same",
  "batch-too-many": "same",
  "batch-bad-items": "better: an item without an id does not end the worker, one without input is answered",
  "duplicate-job": "better: it runs once",
  "job-no-id": "better: a job without input is answered",
  "done-503": "same",
  "done-500x3": "better: it is sent until it is taken",
  "done-reset": "better: it is sent again after a reset",
  "done-reset-x3": "better: it is sent again after a reset",
  "done-reset-then-refused": "better: it is sent again after a reset",
  "done-mixed": "better: it is sent again after a reset",
  "done-400": "better: an error that says why takes the place of the result",
  "done-404": "same",
  "done-413": "better: an error that says why takes the place of the result",
  "done-429": "better: it is sent again",
  "done-hang": "same",
  "output-8mb": "same",
  "output-12mb": "better: what RunPod would drop is never sent; the job fails with the reason",
  "output-25mb": "better: what RunPod would drop is never sent; the job fails with the reason",
  "output-12mb-400": "better: with a bucket, links take the place of the result",
  "sigterm-idle": "better: it exits at once",
  "sigterm-idle-stop-hangs": "better: it exits at once",
  "sigterm-job": "same",
  "sigterm-twice": "better: the second signal ends the process",
  "sigint-job": "same",
  "sigterm-take-answers-job": "better: a job that was on its way is run and answered",
  "sigkill-job": "better: pings end with the process",
  "stop-running": "same",
  "stop-generator": "same",
  "stop-other-url": "better: a second lies between two polls",
  "ping-500": "same",
  "ping-hang": "same",
  "ping-interval-float": "better: the interval is kept to the millisecond",
  "ping-none-without-key": "same",
  "fitness-own-check-fails": "same",
  "fitness-system-checks": "no counterpart: whether the engine starts and draws is the check",
  "test-input-ok": "same",
  "test-input-empty-input": "better: an empty input is an error",
  "test-input-error": "same",
  "test-input-no-input": "same",
  "test-input-none": "same",
  "test-input-bad-json": "better: one line in place of a stack trace",
};

/** A test of one or several of them. */
export function replay(names: string | string[], title: string, run: (recorded: Recorded) => Promise<void>): void {
  const [first] = [names].flat();
  test(`${[names].flat().join(", ")}: ${title}`, () => run(RECORDED[first!]!));
}

/** The library's requests of one channel. */
export const sentOn = (scenario: Recorded, channel: Channel) =>
  scenario.sent.filter((sent) => sent.channel === channel);
