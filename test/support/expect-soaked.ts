/** What must hold after a soak, whatever ended the workers. */
import { expect } from "vitest";
import type { SoakReport } from "./sqs-soak.ts";

export function expectNothingLost({ valid, poison, documents, writes, broken, dead, left }: SoakReport): void {
  const withStatus = (status: string) =>
    [...documents].filter(([, document]) => document.status === status).map(([id]) => id);
  expect(left, "nothing is left, visible or not").toEqual({ ready: 0, inflight: 0, delayed: 0 });
  expect(withStatus("succeeded").toSorted(), "each id has its result").toEqual(valid.toSorted());
  expect(withStatus("failed").toSorted(), "each message that can have none is reported").toEqual(poison.toSorted());
  expect(dead.toSorted(), "and is in the dead-letter queue, as nothing else is").toEqual(poison.toSorted());
  expect(
    [...writes.values()].every((times) => times === 1),
    "written once",
  ).toBe(true);
  expect(broken).toEqual([]);
}
