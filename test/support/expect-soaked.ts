/** What must hold after a soak, whatever ended the workers. */
import { expect } from "vitest";
import type { SoakReport } from "./sqs-soak.ts";

export function expectNothingLost({ valid, poison, documents, writes, broken, dead, left }: SoakReport): void {
  const withStatus = (status: string) =>
    [...documents].filter(([, document]) => document.status === status).map(([id]) => id);
  const twice = [...writes].filter(([, times]) => times > 1).map(([path]) => path);
  // All in one, so that a failure shows what else is different.
  expect({
    left,
    succeeded: withStatus("succeeded").toSorted(),
    failed: withStatus("failed").toSorted(),
    dead: dead.toSorted(),
    twice,
    broken,
  }).toEqual({
    left: { ready: 0, inflight: 0, delayed: 0 },
    succeeded: valid.toSorted(),
    failed: poison.toSorted(),
    dead: poison.toSorted(),
    twice: [],
    broken: [],
  });
}
