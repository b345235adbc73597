/** How a worker asks for jobs while there is none, whatever it is answered. */
import { expect } from "vitest";
import { type Answer, handsOut } from "../../support/job-server.ts";
import { replay, sentOn } from "../../support/runpod-scenarios.ts";
import { quickJob, resultOf, startWorker } from "../../support/runpod-worker.ts";

const JSON_TYPE = "application/json";

/** A second lies between two polls, counted by the worker; here also how long the way of the first one was. */
const A_SECOND_MS = 500;
const NOTHINGS: Record<string, { answers: Answer[]; leastGapMs: number }> = {
  "idle-204-at-once": { answers: [{ status: 204 }, { status: 204 }], leastGapMs: A_SECOND_MS },
  "idle-400": { answers: [{ status: 400 }, { status: 400 }], leastGapMs: A_SECOND_MS },
  "idle-html": { answers: [{ text: "<html>", type: "text/html" }], leastGapMs: A_SECOND_MS },
  "idle-bad-json": {
    answers: ['{"id": ', "", "null", "7", "[]"].map((text) => ({ text, type: JSON_TYPE })),
    leastGapMs: A_SECOND_MS,
  },
  "idle-500": { answers: [{ status: 500 }, { status: 500 }, { status: 500 }], leastGapMs: 700 },
  "idle-reset": { answers: [{ status: 0 }, { status: 0 }], leastGapMs: 700 },
  "idle-429": { answers: [{ status: 429 }], leastGapMs: 4_900 },
};
for (const [name, { answers, leastGapMs }] of Object.entries(NOTHINGS)) {
  replay(name, "F10: the next poll comes after a while, and the job that it brings is run", async (recorded) => {
    const { server } = await startWorker({ take: [...answers, handsOut(quickJob("job-1"))] });
    const { body } = await resultOf(server);
    expect(body).toMatchObject({ output: { status: "succeeded" } });
    const polls = server.on("take").slice(0, answers.length + 1);
    const gaps = polls.slice(1).map(({ at }, index) => at - polls[index]!.at);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(leastGapMs);
    expect(polls[0]!.target).toBe(sentOn(recorded, "take")[0]!.target);
  });
}

replay("idle-429", "the stop channel waits as long", async () => {
  const { server } = await startWorker({ stop: [{ status: 429 }] });
  await server.calledTimes("stop", 2);
  const [first, second] = server.on("stop");
  expect(second!.at - first!.at).toBeGreaterThan(4_900);
});
