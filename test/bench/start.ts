/** How soon ComfyUI starts: from the spawn of the handler, as the image runs it, to the first instruction of what stands for Python. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { buildBundles } from "../../handler/build.ts";
import { median } from "./median.ts";

const RUNS = 20;
const MAX_MS = 100;
/** Where nobody listens: what a worker does there does not matter any more. */
const NOWHERE = "127.0.0.1:9";

/** Each way by which work comes, as its platform tells of itself. */
const PLATFORMS: Record<string, Record<string, string>> = {
  http: {},
  sqs: { SQS_QUEUE_URL: `http://${NOWHERE}/1/jobs`, S3_BUCKET: "pictures", AWS_ENDPOINT_URL: `http://${NOWHERE}` },
  runpod: {
    RUNPOD_WEBHOOK_GET_JOB: `http://${NOWHERE}/v2/ep/job-take/$ID`,
    RUNPOD_WEBHOOK_POST_OUTPUT: `http://${NOWHERE}/v2/ep/job-done/$RUNPOD_POD_ID/$ID`,
  },
  lambda: { AWS_LAMBDA_RUNTIME_API: NOWHERE },
  amqp: { AMQP_URL: `amqp://${NOWHERE}`, AMQP_QUEUE: "jobs" },
};

/** Measures each platform in turn, and prints the medians; the exit code is 1 where one is above the target. */
export async function reportStart(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "start-"));
  try {
    await buildBundles(join(folder, "app"));
    const home = await pretendComfyUi(folder);
    const times = Object.entries(PLATFORMS).map(([name, settings]) => ({ name, settings, ms: [] as number[] }));
    // The first round finds the file in no cache.
    for (let run = -1; run < RUNS; run++)
      for (const { name, settings, ms } of times) {
        const took = await startOnce(join(folder, "app/handler.mjs"), home, settings).catch((cause) => {
          throw new Error(`the worker of ${name} does not start ComfyUI`, { cause });
        });
        if (run >= 0) ms.push(took);
      }
    console.log(
      `spawn of the handler to ComfyUI's own start, ${RUNS} runs each in turn, medians (at most ${MAX_MS} ms)`,
    );
    for (const { name, ms } of times) {
      console.log(`${name.padEnd(44)}${median(ms).toFixed(2).padStart(8)} ms`);
      if (median(ms) > MAX_MS) process.exitCode = 1;
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A folder that passes for ComfyUI's, with a Python that tells when it began. */
async function pretendComfyUi(folder: string): Promise<{ folder: string; python: string; told: string }> {
  const home = { folder: join(folder, "comfyui"), python: join(folder, "python"), told: join(folder, "told") };
  await mkdir(home.folder);
  await writeFile(join(home.folder, "main.py"), "");
  await writeFile(home.python, `#!/bin/bash\necho "$$ $EPOCHREALTIME" > ${home.told}\nexec sleep 60\n`);
  await chmod(home.python, 0o755);
  return home;
}

/** @returns milliseconds. */
async function startOnce(
  handler: string,
  home: { folder: string; python: string; told: string },
  settings: Record<string, string>,
): Promise<number> {
  await rm(home.told, { force: true });
  const startedAt = performance.timeOrigin + performance.now();
  const child = spawn(process.execPath, [handler], {
    env: {
      PATH: process.env["PATH"],
      COMFYUI_HOME: home.folder,
      COMFYUI_PYTHON: home.python,
      // A folder of its own would outlive the handler, which is killed.
      DATA_DIR: join(home.folder, "data"),
      PORT: "0",
      AWS_REGION: "us-east-1",
      ...settings,
    },
    stdio: "ignore",
  });
  const ended = once(child, "close");
  let told = "";
  while (!told.endsWith("\n")) {
    if (child.exitCode !== null) throw new Error(`the handler ended with ${child.exitCode}`);
    await sleep(10);
    told = await readFile(home.told, "utf8").catch(() => "");
  }
  child.kill("SIGKILL");
  await ended;
  const [pid, seconds] = told.split(" ");
  process.kill(-Number(pid), "SIGKILL");
  return Number(seconds) * 1000 - startedAt;
}
