import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { Announcement } from "../../../../handler/lifecycle/announcement.ts";

/** Somebody who hears only what `fails` lets through. */
function listener(fails: (call: number) => Promise<void> | void = () => {}) {
  const calls: number[] = [];
  const failures: string[] = [];
  const announcement = new Announcement<number>({
    send: async (value, signal) => {
      calls.push(value);
      await Promise.race([
        fails(calls.length),
        new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
      ]);
    },
    onFailure: ({ name, message }) => failures.push(message || name),
    timeoutMs: 50,
    backoffMs: 5,
  });
  onTestFinished(() => announcement.stop());
  return { announcement, calls, failures };
}

test("a value is told once, however often it is set", async () => {
  const { announcement, calls } = listener();
  for (const value of [1, 1, 1]) announcement.set(value);
  await sleep(20);
  announcement.set(1);
  await sleep(20);
  expect(calls).toEqual([1]);
  announcement.repeat(1);
  await sleep(20);
  expect(calls).toEqual([1, 1]);
});

test("what changes while one is told is told once, as it is then", async () => {
  const { announcement, calls } = listener(() => sleep(20));
  for (const value of [1, 2, 3, 4]) announcement.set(value);
  await sleep(80);
  expect(calls).toEqual([1, 4]);
});

test("F15: what fails or hangs is told again, the latest value, and one failure in a row is reported", async () => {
  const { announcement, calls, failures } = listener((call) => {
    if (call === 1) throw new Error("400");
    if (call === 2) return new Promise(() => {});
    if (call === 3) throw new Error("500");
    return undefined;
  });
  announcement.set(1);
  announcement.set(2);
  await sleep(200);
  expect(calls).toEqual([1, 2, 2, 2]);
  expect(failures).toEqual(["400"]);
});

test("who waits for it to be heard waits for the latest value, and not for somebody who is deaf", async () => {
  let isDeaf = false;
  const { announcement, calls } = listener(() => (isDeaf ? Promise.reject(new Error("deaf")) : sleep(10)));
  announcement.set(1);
  announcement.set(2);
  await announcement.heard();
  expect(calls).toEqual([1, 2]);
  isDeaf = true;
  announcement.set(3);
  await announcement.heard();
  announcement.set(4);
  await announcement.heard();
  expect(calls.filter((value) => value === 3)).not.toEqual([]);
});

test("a stopped one tells nothing more", async () => {
  const { announcement, calls } = listener(() => {
    throw new Error("no");
  });
  announcement.set(1);
  await sleep(2);
  announcement.stop();
  const before = calls.length;
  await sleep(50);
  expect(calls.length).toBe(before);
});
