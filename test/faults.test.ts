/** Every fault that platforms bring has a test that bears its number, on each way by which work comes that it concerns. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ROOT } from "./support/source-files.ts";

/** Where tests of one platform's lie. The contract is run on every platform. */
const PLACES = {
  all: ["test/contract/behaviours/*.ts"],
  engine: ["test/integration/any-engine/*.test.ts"],
  http: ["test/integration/*.test.ts", "test/platforms/http/*.test.ts"],
  runpod: ["test/platforms/runpod/*.test.ts"],
  sqs: ["test/platforms/sqs/*.test.ts"],
  lambda: ["test/platforms/lambda/*.test.ts"],
} as const;

const FAULTS: readonly (readonly [number: string, title: string, ...places: (keyof typeof PLACES)[]])[] = [
  ["F1", "delivered twice, the first is finished", "http", "sqs", "lambda"],
  ["F2", "delivered twice, the first still runs", "http", "sqs"],
  ["F3", "can never succeed", "all"],
  ["F4", "kills ComfyUI, again and again", "sqs"],
  ["F5", "the lease is not extended for a while", "sqs"],
  ["F6", "the lease is lost", "sqs"],
  ["F7", "takes longer than it may", "all", "sqs", "lambda"],
  ["F8", "the result is not taken yet", "runpod"],
  ["F9", "the result is refused", "runpod"],
  ["F10", "polls without a job, and what is no job", "runpod"],
  ["F11", "stopped", "all", "runpod"],
  ["F12", "stopped while its result is brought", "runpod"],
  ["F13", "SIGTERM", "all", "engine", "runpod", "sqs", "lambda"],
  ["F14", "the worker is killed", "http", "runpod", "sqs"],
  ["F15", "Spot notice, and a protection that fails", "http", "sqs"],
  ["F16", "the result is too large", "all", "http", "runpod", "sqs", "lambda"],
  ["F17", "the caller goes away", "http"],
  ["F18", "progress after the result", "runpod"],
  ["F19", "clocks that are off, a machine that was frozen", "http", "lambda"],
  ["F20", "ComfyUI's websocket drops, or ComfyUI dies", "all", "engine"],
  ["F21", "work that comes before ComfyUI serves", "all", "runpod", "lambda"],
  ["F22", "envelopes in envelopes", "sqs", "lambda"],
  ["F23", "a failure within a FIFO group", "sqs", "lambda"],
  ["F24", "addresses that lead inside", "all", "http"],
  ["F25", "more than can wait", "http"],
];

/** Of tests: what `test`, `test.each(...)` and `replay` are called with, and names of cases in tables. */
const numbersIn = (text: string) =>
  new Set([...text.matchAll(/["`(](F\d+(?:, F\d+)*)(?=[ :)])/g)].flatMap(([, numbers]) => numbers!.split(", ")));

const found = Object.fromEntries(
  Object.entries(PLACES).map(([place, patterns]) => {
    const files = globSync([...patterns], { cwd: ROOT });
    return [place, numbersIn(files.map((file) => readFileSync(join(ROOT, file), "utf8")).join("\n"))];
  }),
);

test.each(FAULTS)("%s, %s, has its tests", (number, _title, ...places) => {
  expect(places.filter((place) => !found[place]!.has(number))).toEqual([]);
});

test("no test bears a number that is no fault's", () => {
  const known = FAULTS.map(([number]) => number);
  expect(known).toHaveLength(25);
  const strangers = Object.values(found).flatMap((numbers) => [...numbers].filter((number) => !known.includes(number)));
  expect(strangers).toEqual([]);
});
