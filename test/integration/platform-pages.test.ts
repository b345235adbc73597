/** Every example of the pages in `docs/platforms/` that has an answer beneath it is run, and gives it. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";
import type { RunningEndpoint } from "../support/endpoint.ts";
import { pageExamples } from "../support/platform-calls.ts";
import { sharedEndpoint } from "../support/sdapi.ts";

const PAGES = [
  "cloud-run",
  "cog",
  "costs",
  "docker",
  "knative",
  "kserve",
  "lifecycle",
  "modal",
  "runpod-load-balancing",
  "sagemaker",
  "salad",
];

let endpoint: RunningEndpoint;
beforeAll(async () => {
  const stop = await sharedEndpoint((started) => {
    endpoint = started;
  });
  await endpoint.ready();
  return stop;
});

/** Shown answers leave things out, and end in `...` where they differ each time; of a number only that it is one counts. */
function asShown(shown: unknown): unknown {
  if (Array.isArray(shown)) return shown.map(asShown);
  if (typeof shown === "number") return expect.any(Number);
  if (typeof shown === "string") {
    const [start, rest] = shown.split("...");
    return rest === undefined ? shown : expect.stringContaining(start!);
  }
  if (typeof shown === "object" && shown !== null)
    return expect.objectContaining(
      Object.fromEntries(Object.entries(shown).map(([name, value]) => [name, asShown(value)])),
    );
  return shown;
}

describe.each(PAGES)("the page %s", (page) => {
  const examples = pageExamples(page);
  test("has examples", () => expect(examples.length).toBeGreaterThan(0));
  test.each(examples)("example %# gives what is shown beneath it", async (command, answer) => {
    const { stdout } = await promisify(execFile)("bash", ["-euc", command], {
      env: { PATH: process.env["PATH"], URL: endpoint.url, API_TOKEN: "" },
      maxBuffer: 1e8,
    });
    expect(JSON.parse(stdout)).toEqual(asShown(JSON.parse(answer)));
  });
});
