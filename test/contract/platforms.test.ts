/** Which platform is under the contract, and by what. */
import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { PLATFORMS } from "../../handler/adapters/platforms.ts";
import { HANDLER } from "../support/entries.ts";

const BY_HTTP = "http, with other defaults";
/** Those without a test file of their own. */
const WITHOUT: Record<string, string> = {
  container: BY_HTTP,
  "runpod-load-balancing": BY_HTTP,
  sagemaker: BY_HTTP,
  salad: BY_HTTP,
};

test("every platform is under the contract, or there is a reason", () => {
  const names = Object.keys(PLATFORMS);
  const outside = names.filter((name) => !existsSync(new URL(`./${name}.test.ts`, import.meta.url)));
  expect(outside.sort()).toEqual(Object.keys(WITHOUT).sort());
});

test("it is the file that ships that is under the contract", () => {
  expect(HANDLER).toMatch(/handler\.mjs$/);
});
