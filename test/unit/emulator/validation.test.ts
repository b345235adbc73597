/** Every body that was once posted to a real ComfyUI 0.33.0 gets the same answer from the emulator. */
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { Catalogue } from "../../../runtime/emulator/catalogue.ts";
import { Executor } from "../../../runtime/emulator/executor.ts";
import { Faults } from "../../../runtime/emulator/faults/index.ts";
import { NODES } from "../../../runtime/emulator/nodes/index.ts";
import { dumps, isEqual, loads } from "../../../runtime/emulator/python.ts";
import { PromptQueue } from "../../../runtime/emulator/queue.ts";
import { buildApp } from "../../../runtime/emulator/server/server.ts";
import { Sockets } from "../../../runtime/emulator/sockets.ts";

interface Case {
  name: string;
  body?: unknown;
  raw_body?: string;
  status: number;
  text?: string;
  response?: Answer;
}

interface Answer {
  error?: { type: string; message: string; details: string; extra_info: unknown };
  node_errors: Record<string, { errors: NodeError[]; dependent_outputs: string[]; class_type: string }>;
  prompt_id?: string;
  number?: unknown;
}

type NodeError = { type: string; message: string; details: string; extra_info: Record<string, unknown> };

const fixtures = new URL("../../fixtures/comfyui/", import.meta.url);
const { cases } = loads(readFileSync(new URL("validation.json", fixtures), "utf8")) as { cases: Case[] };

/** Cases whose imitation would serve nobody, with the reason. */
const NOT_IMITATED: Record<string, string> = {
  "two unknown classes: first is reported":
    "JavaScript orders integer-like keys, so which of two unknown nodes is the first is lost in parsing",
};

let app: ReturnType<typeof buildApp>;

beforeAll(() => {
  vi.spyOn(process.stderr, "write").mockReturnValue(true);
  const scratch = mkdtempSync(join(tmpdir(), "emulator-validation-"));
  const folders = { input: new URL("input", fixtures).pathname, output: scratch, temp: scratch };
  const faults = new Faults([]);
  const queue = new PromptQueue(() => {});
  const catalogue = new Catalogue(folders.input, false);
  const installation = { catalogue, nodes: NODES, folders };
  const sockets = new Sockets({ status: () => null, features: {}, currentNode: () => null }, faults);
  const options = {
    stepDelayMs: 0,
    writesMetadata: true,
    previewMethod: "none",
    previewSize: 512,
    cacheMode: { kind: "none" } as const,
  };
  const executor = new Executor({ ...installation, ...options, sockets, faults });
  // No worker runs: what an accepted prompt does is the conformance suite's business.
  app = buildApp({ installation, catalogue, queue, executor, features: {}, maxUploadBytes: 1e8, argv: [] });
});

/** Sorted, because ComfyUI walks a Python set; without tracebacks, because nobody can use the lines of an interpreter that is not there. */
function comparable(answer: Answer): unknown {
  const errors = (list: NodeError[]) =>
    list.map(({ extra_info: { traceback: _, ...extra }, ...error }) => dumps({ ...error, extra_info: extra })).sort();
  const nodes = Object.entries(answer.node_errors).map(([id, node]) => [
    id,
    { ...node, errors: errors(node.errors), dependent_outputs: node.dependent_outputs.toSorted() },
  ]);
  const error = answer.error && { ...answer.error, details: answer.error.details.split("\n").toSorted() };
  return { error: dumps(error ?? null), node_errors: Object.fromEntries(nodes) };
}

describe("POST /prompt", () => {
  test.each(cases.filter(({ name }) => !Object.hasOwn(NOT_IMITATED, name)))(
    "$name",
    async ({ body, raw_body: rawBody, status, text, response }) => {
      const answer = await app.request("/prompt", { method: "POST", body: rawBody ?? dumps(body) });

      const answered = await answer.text();
      expect(answer.status, answered).toBe(status);
      if (response === undefined) return expect(answered).toBe(text);
      const parsed = loads(answered) as Answer;
      expect(comparable(parsed)).toEqual(comparable(response));
      if (response.prompt_id !== undefined && response.prompt_id !== "<id>")
        expect(parsed.prompt_id).toBe(response.prompt_id);
      if (response.number !== undefined && response.number !== "<n>")
        expect(isEqual(parsed.number, response.number)).toBe(true);
      return undefined;
    },
  );
});
