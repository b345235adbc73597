import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Engine, engineName, FIXTURES, noProcess, startEngine } from "./support/engine.ts";
import { parseExact, parseLenient, stringifyExact } from "./support/lenient-json.ts";
import { executionError, finished, postPrompt } from "./support/prompts.ts";

/**
 * Every recorded body of `POST /prompt`: how it is judged, and what the accepted prompt then does. Expectations are 0.33.0's,
 * with the recorded differences on 0.3.75.
 */
interface Case extends Outcome {
  name: string;
  body?: unknown;
  raw_body?: string;
  response?: { node_errors?: Record<string, NodeErrors> };
  run_error?: { node_id: string; exception_type: string };
  v0_3_75?: Outcome;
}

interface Outcome {
  status: number;
  error_type?: string;
  node_error_types?: Record<string, string[]>;
  run?: string;
  run_error_type?: string;
}

interface NodeErrors {
  errors: { type: string; extra_info: Record<string, unknown> }[];
}

const DIES = "worker thread died";

/** Accepted prompts whose run is not compared on the emulator, and why. */
const NOT_RUN_BY_EMULATOR: Readonly<Record<string, string>> = {
  "dynamic combo complete": "SaveImageAdvanced is known to its catalogue, so that it is validated, but not run",
};

const text = readFileSync(join(FIXTURES, "validation.json"), "utf8");
const { cases } = parseLenient(text) as { cases: Case[] };
const bodies = new Map(
  (parseExact(text) as { cases: Case[] }).cases.map((it) => [it.name, it.raw_body ?? stringifyExact(it.body)]),
);

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine.stop());

const isDeadly = (it: Case) => it.run === DIES || it.v0_3_75?.run === DIES;

test.each(cases.filter((it) => !isDeadly(it)))(`$name on ${engineName}`, check);

describe.skipIf(noProcess)(
  `${engineName}: bodies that end the worker thread${noProcess ? ` (skipped: ${noProcess})` : ""}`,
  () => {
    test.each(cases.filter(isDeadly))("$name", async (it) => {
      await check(it);
      if (expected(it).run !== DIES) return;
      await engine.stop();
      engine = await startEngine();
    });
  },
);

/** What this engine's version was recorded to do. */
function expected(it: Case): Outcome {
  const base = { ...it, ...(it.run_error ? { run_error_type: it.run_error.exception_type } : {}) };
  return engine.recordedVersion === "0.3.75" && it.v0_3_75 ? it.v0_3_75 : base;
}

async function check(it: Case): Promise<void> {
  const want = expected(it);
  const answer = await postPrompt(engine, bodies.get(it.name)!);
  expect({ status: answer.status, ...describeJudgement(answer.body) }).toEqual({
    status: want.status,
    error_type: want.error_type,
    node_error_types: want.node_error_types ?? {},
  });
  const recorded = it.response?.node_errors;
  if (want !== it.v0_3_75 && recorded)
    expect(extraInfo((answer.body as Case["response"])?.node_errors)).toEqual(extraInfo(recorded));
  if (!(engine.isEmulator && NOT_RUN_BY_EMULATOR[it.name])) await checkRun(want, answer.body);
}

interface Judgement {
  error_type: string | undefined;
  node_error_types: Record<string, string[]>;
}

function describeJudgement(body: unknown): Judgement {
  if (typeof body === "string") return { error_type: undefined, node_error_types: {} };
  const { error, node_errors } = body as {
    error?: string | { type: string };
    node_errors?: Record<string, NodeErrors>;
  };
  const types = Object.entries(node_errors ?? {}).map(([id, node]) => [id, node.errors.map(({ type }) => type).sort()]);
  const type = typeof error === "object" ? error.type : error;
  return { error_type: type, node_error_types: Object.fromEntries(types) };
}

/** The fields of every error's extra_info, as sets: their order is chance. */
function extraInfo(nodeErrors: Record<string, NodeErrors> = {}): unknown {
  return Object.entries(nodeErrors)
    .map(([id, { errors }]) => [
      id,
      errors
        .map(
          ({ type, extra_info }) => `${type}: ${Object.keys(extra_info).sort().join(" ")} ${extra_info["input_name"]}`,
        )
        .sort(),
    ])
    .sort();
}

async function checkRun(want: Outcome, body: unknown): Promise<void> {
  if (!want.run) return;
  const promptId = String((body as { prompt_id: string }).prompt_id);
  if (want.run === DIES) {
    await vi.waitFor(() => expect(engine.process!.log()).toContain("(prompt_worker)"), { timeout: 10_000 });
    return;
  }
  const entry = await finished(engine, promptId);
  expect({ run: entry.status.status_str, error: executionError(entry)?.["exception_type"] }).toEqual({
    run: want.run,
    error: want.run_error_type,
  });
}
