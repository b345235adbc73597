import { expect, test } from "vitest";
import { remainingMs } from "../../../../../handler/adapters/lambda/deadline.ts";

const NOW = Date.UTC(2026, 0, 1, 12, 0, 0, 700);
const date = (time: number) => new Date(time).toUTCString();

test("what is left of the time is less by a second, or by a third of a short one", () => {
  expect(remainingMs(NOW + 60_000, undefined, NOW)).toBe(59_000);
  expect(remainingMs(NOW + 60_000, date(NOW), NOW), "the same clock, to the second").toBe(59_000);
  expect(remainingMs(NOW + 3_000, undefined, NOW)).toBe(2_000);
  expect(remainingMs(NOW - 1, undefined, NOW)).toBe(0);
  expect(remainingMs(NOW + 1e12, undefined, NOW), "as long as a timer goes").toBe(2 ** 31 - 1);
});

test("F19: by a clock that is off the time is counted from what it says itself, at most a second short", () => {
  for (const skewMs of [600_000, -600_000]) {
    const left = remainingMs(NOW + skewMs + 60_000, date(NOW + skewMs), NOW);
    expect(left).toBeGreaterThan(58_000);
    expect(left).toBeLessThanOrEqual(59_000);
  }
});

test("F19: a `Date` that cannot be read is none", () => {
  expect(remainingMs(NOW + 60_000, "yesterday", NOW)).toBe(59_000);
});
