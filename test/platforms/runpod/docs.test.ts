/** The page about RunPod says what is so. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { LOCAL_SETTINGS, SETTINGS } from "../../../handler/adapters/runpod/settings.ts";
import { SETTINGS as COMMON } from "../../../handler/settings.ts";
import { engineEnvironment } from "../../support/endpoint.ts";
import { handsOut } from "../../support/job-server.ts";
import { resultsOf, startWorker } from "../../support/runpod-worker.ts";
import { ROOT } from "../../support/source-files.ts";

const PAGE = readFileSync(join(ROOT, "docs/platforms/runpod.md"), "utf8");
const blocks = (language: string) =>
  [...PAGE.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "gm"))].map(([, block]) => block!);

test("every job of the page runs, and its output is as the page says", async () => {
  const jobs = blocks("json").map((text, index) => ({ id: `job-${index}`, ...(JSON.parse(text) as object) }));
  const { server } = await startWorker({ take: jobs.map((job) => handsOut(job)) });
  const results = await resultsOf(server, 3);
  const [drawn, bare, called] = results.map(({ body }) => body["output"] as Record<string, unknown>);
  const name = /"filename": "([^"]+)"/.exec(PAGE)![1];
  expect(drawn).toEqual({ images: [{ filename: name, type: "base64", data: expect.any(String) }] });
  expect(bare!["images"]).toEqual([expect.any(String)]);
  expect(called!["images"]).toEqual(bare!["images"]);
});

test("the command of the page prints a picture", async () => {
  const [command] = blocks("sh");
  const env = { PATH: process.env["PATH"], ...engineEnvironment() };
  const { stdout } = await promisify(execFile)("bash", ["-c", command!], { cwd: ROOT, env, maxBuffer: 2 ** 26 });
  expect(JSON.parse(stdout)).toMatchObject({ output: { images: [expect.any(String)] } });
});

test("every setting that the page names exists", () => {
  const others = ["RUNPOD_INIT_TIMEOUT", "TORCH_CUDA"]; // RunPod's own, and one of the image's build
  const own = [...Object.keys(SETTINGS), ...Object.keys(LOCAL_SETTINGS), "BUCKET_ENDPOINT_URL", "RUNPOD_REALTIME_PORT"];
  const known = new Set([...own, ...others, ...Object.keys(COMMON)]);
  const named = [...PAGE.matchAll(/`([A-Z][A-Z0-9]*_[A-Z0-9_]+)\b/g)].map(([, setting]) => setting!);
  expect(named.length).toBeGreaterThan(5);
  expect(named.filter((setting) => !known.has(setting))).toEqual([]);
});
