/** What holds for an invocation on every platform: each behaviour is written once, and runs through each adapter's own wire. */
import { beforeAll, describe } from "vitest";
import { answers, logLines } from "./behaviours/answers.ts";
import { bucket, lastCrash, sharedBucket } from "./behaviours/bucket.ts";
import { failures, shortMemory } from "./behaviours/failures.ts";
import { coldStart, drain, leavesNothing, noEnd, shortLives, states } from "./behaviours/lifecycle.ts";
import { payloadForms, refusals } from "./behaviours/payloads.ts";
import { turns } from "./behaviours/turns.ts";
import { isReady, SHARED, startBlock } from "./block.ts";
import type { Platform } from "./driver.ts";

const WITHOUT_WARM_UP = { WARMUP_PROMPT_FILE: "/nonexistent", WARMUP_FAILURE: "serve" };
/** At the most talkative: what is not there then is never there. */
const COLD = {
  ...SHARED,
  ...WITHOUT_WARM_UP,
  COMFYUI_ARGS: "--step-delay 10 --fault boot-delay=500",
  SHUTDOWN_GRACE_SECONDS: "20",
  LOG_LEVEL: "trace",
};
/** With little memory at first, and with little time, for an invocation and for the end. */
const HASTY = {
  ...SHARED,
  ...WITHOUT_WARM_UP,
  COMFYUI_ARGS: "--step-delay 10 --fault oom=3",
  INVOCATION_TIMEOUT_SECONDS: "2",
  SHUTDOWN_GRACE_SECONDS: "0.5",
};
/** Slow enough to start to be seen starting. */
const PATIENT = {
  ...SHARED,
  COMFYUI_ARGS: "--step-delay 10 --fault boot-delay=1000",
  SHUTDOWN_GRACE_SECONDS: "20",
};
/** Whose first crash is its last. */
const MORTAL = { ...SHARED, COMFYUI_ARGS: "--step-delay 10", COMFYUI_MAX_RESTARTS: "0" };

export function adapterContract(platform: Platform): void {
  const { name } = platform;

  describe(`${name}: an invocation`, () => {
    const block = startBlock(platform, () => COLD);
    coldStart(block);
    answers(block);
    payloadForms(block);
    refusals(block);
    failures(block);
    turns(block);
    logLines(block);
    leavesNothing(block);
    drain(block);
  });

  describe(`${name}: an invocation that is too much`, () => {
    const block = startBlock(platform, () => HASTY);
    beforeAll(() => block.driver().worker.logged(isReady));
    shortMemory(block);
    noEnd(block);
  });

  describe(`${name}: an invocation of a worker with a bucket`, () => {
    const { aws, settings } = sharedBucket();
    const block = startBlock(platform, () => ({
      ...MORTAL,
      ...(platform.lacks["answer without a bucket"] ? {} : settings()),
    }));
    bucket(block, aws);
    lastCrash(block);
  });

  describe(`${name}: a worker`, () => {
    states(startBlock(platform, () => PATIENT));
  });

  describe(name, () => shortLives(platform));
}
