import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Engine, engineName, FIXTURES, givenUrl, noProcess, startEngine } from "./support/engine.ts";
import { empty, type Graph, txt2img } from "./support/graphs.ts";
import { parseLenient } from "./support/lenient-json.ts";
import { normalise } from "./support/normalise.ts";
import { Recording, type TranscriptEvent } from "./support/recording.ts";
import { HTTP } from "./support/scenarios-http.ts";
import { DEADLY, WITH_FLAGS } from "./support/scenarios-process.ts";
import { QUEUE } from "./support/scenarios-queue.ts";
import { RUNS, type Scenario, type Scenarios } from "./support/scenarios-runs.ts";

/** Replays the recorded scenarios; what a real ComfyUI of that version answered is what this engine has to answer. */
const SETTLE_LIMIT_MS = 3000;
const CALM_LIMIT = { timeout: 20_000, interval: 10 };

describe(`${engineName}, one scenario after the other`, () => replayAll({ ...RUNS, ...QUEUE, ...HTTP }));

describe.skipIf(noProcess)(`${engineName} started with flags${because(noProcess)}`, () =>
  replayAll(WITH_FLAGS, ["--preview-method", "latent2rgb", "--max-upload-size", "1"]),
);

describe.skipIf(noProcess)(`${engineName} at its end${because(noProcess)}`, () => {
  for (const [name, scenario] of Object.entries(DEADLY))
    test(name, async () => {
      const engine = await startEngine();
      try {
        await replay(engine, name, scenario);
      } finally {
        await engine.stop();
      }
    });
});

function replayAll(scenarios: Scenarios, flags: readonly string[] = []): void {
  let engine: Engine;
  beforeAll(async () => {
    engine = await startEngine(flags);
  });
  afterAll(() => engine.stop());
  for (const [name, scenario] of Object.entries(scenarios)) {
    const reason = givenUrl ? NEEDS_FRESH_ENGINE[name] : undefined;
    test.skipIf(reason)(`${name}${because(reason)}`, () => replay(engine, name, scenario));
  }
}

/** Scenarios that read the names of files which an earlier run may have left. */
const NEEDS_FRESH_ENGINE: Readonly<Record<string, string>> = {
  "upload-image": "the names it gets depend on what was uploaded before",
};

const RECORDED_VERSIONS = ["0.33.0", "0.3.75"] as const;

/** Two independent branches run in either order (ComfyUI keeps the outputs in a Python set): each recording has one. */
const ORDER_IS_CHANCE = new Set(["runtime-error"]);

async function replay(engine: Engine, name: string, scenario: Scenario): Promise<void> {
  const recorded = readTranscript(engine.recordedVersion, name);
  await calm(engine);
  // What a prompt finds cached depends on the prompt before it, so that one is replayed too.
  await run(engine, before(recorded));
  await post(engine, "/history", { clear: true });
  const recording = new Recording(engine);
  try {
    await scenario(recording);
    const isThinned = recorded.some((event) => String(event["text"]).includes("are left out of this file"));
    const versions = ORDER_IS_CHANCE.has(name) ? RECORDED_VERSIONS : [engine.recordedVersion];
    const accepted = versions.map((version) => normalise(readTranscript(version, name), { isThinned }));
    await vi.waitFor(
      () => {
        const log = recording.logLines().map((line) => ({ dir: "log", line }));
        const seen = normalise([...recording.events, ...log], { isThinned });
        if (!engine.process) seen.log = accepted[0]!.log;
        expect(seen).toEqual(accepted.find((expected) => isDeepStrictEqual(expected, seen)) ?? accepted[0]);
      },
      { timeout: SETTLE_LIMIT_MS },
    );
  } finally {
    recording.end();
  }
}

function readTranscript(version: string, name: string): TranscriptEvent[] {
  const file = join(FIXTURES, "transcripts", version, `${name}.jsonl`);
  const lines = readFileSync(file, "utf8").trim().split("\n");
  return lines.map((line) => parseLenient(line) as TranscriptEvent);
}

/** A graph that leaves in the cache what the first prompt of the recording found there. */
function before(recorded: readonly TranscriptEvent[]): Graph {
  const first = recorded.find((event) => JSON.stringify(event).includes('"execution_cached"'));
  const cached = /"execution_cached".*?"nodes":\[(.*?)\]/.exec(JSON.stringify(first) ?? "")?.[1] ?? "";
  const seed = Math.floor(Math.random() * 2 ** 32);
  if (cached.includes('"4"')) return txt2img({ seed, steps: 1 });
  if (cached.includes('"1"')) return empty({ prefix: "before" });
  return empty({ size: 1, color: seed % 0xffffff });
}

/** A scenario that failed half way may have left prompts, which would fail the next ones. */
async function calm(engine: Engine): Promise<void> {
  await post(engine, "/queue", { clear: true });
  await post(engine, "/interrupt", {});
  await vi.waitFor(async () => {
    const { exec_info } = (await (await fetch(`${engine.url}/prompt`)).json()) as {
      exec_info: { queue_remaining: number };
    };
    expect(exec_info.queue_remaining).toBe(0);
  }, CALM_LIMIT);
}

async function post(engine: Engine, path: string, body: unknown): Promise<void> {
  await fetch(engine.url + path, { method: "POST", body: JSON.stringify(body) });
}

async function run(engine: Engine, graph: Graph): Promise<void> {
  const recording = new Recording(engine);
  await recording.simple(graph, { history: false });
  recording.end();
}

function because(reason: string | undefined): string {
  return reason ? ` (skipped: ${reason})` : "";
}
