/** RunPod's own client of the Python package index, against the local API. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, expect, test } from "vitest";
import { EMULATOR_ENVIRONMENT, startEndpoint } from "../support/endpoint.ts";
import { quickTxt2Img, slowTxt2Img } from "../support/payloads.ts";
import { installRunpod } from "./install.ts";

const DRIVER = join(import.meta.dirname, "../support/runpod_driver.py");
const BAD = { workflow: { "1": { class_type: "NoSuchNode", inputs: {} } } };

const PICTURES = { images: [expect.any(String)], parameters: expect.any(Object), info: expect.any(String) };

const EXPECTED: Record<string, unknown> = {
  run_sync: PICTURES,
  "run_sync of a bare input": PICTURES,
  // The client drops the error's text.
  "run_sync that fails": null,
  "run and output": { output: PICTURES, status: "COMPLETED" },
  stream: [PICTURES],
  cancel: {
    first: "IN_PROGRESS",
    cancelled: { id: expect.stringMatching(/^test-/), status: "CANCELLED" },
    after: "CANCELLED",
  },
  health: { jobs: expect.objectContaining({ completed: 2, inProgress: 0 }), workers: { idle: 1, running: 0 } },
  purge_queue: { removed: 0, status: "completed" },
  "asyncio: run and output": { output: PICTURES, status: "COMPLETED" },
};

let outcomes: Record<string, { value?: unknown; error?: string }>;

beforeAll(async () => {
  const python = await installRunpod();
  const stops: (() => Promise<void>)[] = [];
  const settings = { ...EMULATOR_ENVIRONMENT, HANDLER_MODE: "runpod-api", RUNPOD_API_PORT: "0" };
  const endpoint = await startEndpoint(settings, (stop) => stops.push(stop));
  const inputs = [quickTxt2Img(), BAD, slowTxt2Img({ steps: 5_000 })].map((input) => JSON.stringify(input));
  const env = { PATH: process.env["PATH"], RUNPOD_ENDPOINT_BASE_URL: `${endpoint.url}/v2` };
  const { stdout } = await promisify(execFile)(python, [DRIVER, ...inputs], { env, maxBuffer: 2 ** 28 });
  outcomes = JSON.parse(stdout.trim().split("\n").at(-1)!) as typeof outcomes;
  return async () => {
    for (const stop of stops) await stop();
  };
});

test("every call is in the table", () => {
  expect(Object.keys(outcomes).sort()).toEqual(Object.keys(EXPECTED).sort());
});

test.each(Object.entries(EXPECTED))("%s", (name, value) => {
  expect(outcomes[name]).toEqual({ value });
});
