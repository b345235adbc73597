import { expect, test } from "vitest";
import { extensionSeconds } from "../../../../../handler/adapters/sqs/lease.ts";

const HOURS_MS = 3_600_000;

test.each([
  ["a new message", 120_000, 0, 120],
  ["an hour later", 120_000, HOURS_MS, 120],
  ["a minute before the twelfth hour is over", 120_000, 12 * HOURS_MS - 60_000, 59],
  ["when it is over", 120_000, 12 * HOURS_MS, 0],
])("F7 no extension passes twelve hours from receipt: %s", (_name, wantedMs, heldMs, seconds) => {
  expect(extensionSeconds(wantedMs, heldMs)).toBe(seconds);
});
