import { describe, expect, test } from "vitest";
import type { SubmissionAnswer } from "../../../../runtime/comfyui/client.ts";
import type { Graph } from "../../../../runtime/comfyui/graph.ts";
import { invalidWorkflow, type NodeProblem, rejection } from "../../../../runtime/comfyui/rejection.ts";
import { VALIDATION_CASES } from "../../../support/validation-cases.ts";

interface RecordedError {
  type: string;
  extra_info?: { input_name?: string; input_config?: unknown };
}

interface Recorded {
  error: NonNullable<SubmissionAnswer["error"]>;
  node_errors: Record<string, { class_type: string; errors: RecordedError[] }>;
}

const refused = VALIDATION_CASES.flatMap(({ name, status, body, response }) => {
  if (status !== 400 && Object.keys(response?.node_errors ?? {}).length === 0) return [];
  const graph = (body as { prompt?: Graph } | undefined)?.prompt ?? {};
  return [{ name, graph, recorded: response as Recorded }];
});

const reject = ({ error, node_errors }: Recorded, graph: Graph) =>
  rejection({ accepted: false, ...(error && { error }), nodeErrors: node_errors }, graph);

test("there are cases to judge by", () => {
  expect(refused.length).toBeGreaterThan(100);
});

describe.each(refused)("ComfyUI's refusal of: $name", ({ graph, recorded }) => {
  const { code, message, details } = reject(recorded, graph);
  const problems = (details?.["nodes"] ?? []) as NodeProblem[];

  test("is one line that a person can read", () => {
    expect(code).toBe("invalid_workflow");
    expect(message).not.toContain("[object Object]");
    expect(message.length).toBeLessThan(1500);
    expect(message).not.toContain("\n");
  });

  test("names every node with its class, input and what is possible", () => {
    const expected = Object.entries(recorded.node_errors).flatMap(([node_id, { class_type, errors }]) =>
      errors.map(({ type, extra_info }) => ({
        node_id,
        class_type,
        type,
        message: expect.any(String),
        ...(extra_info?.input_name !== undefined && { input: extra_info.input_name }),
        ...(extra_info?.input_config != null && { expected: expect.anything() }),
      })),
    );
    for (const each of expected) expect(problems).toContainEqual(expect.objectContaining(each));
    if (expected.length > 0) {
      expect(problems).toHaveLength(expected.length);
      expect(message).toContain(`node ${problems[0]!.node_id} (${problems[0]!.class_type})`);
    }
  });
});

describe("a refusal that names no input", () => {
  const answer = (error: object) => ({ error: { type: "", message: "", details: "", ...error }, node_errors: {} });

  test.each<[string, Recorded, object]>([
    [
      "0.33's unknown class",
      answer({
        type: "missing_node_type",
        message: "Node 'Foo' not found.",
        extra_info: { node_id: "7", class_type: "Foo" },
      }),
      { node_id: "7", class_type: "Foo", type: "missing_node_type" },
    ],
    [
      "0.3.75's unknown class",
      answer({
        type: "invalid_prompt",
        message: "Cannot execute because node Foo does not exist.",
        details: "Node ID '#7'",
        extra_info: {},
      }),
      { node_id: "7", class_type: "Foo", type: "invalid_prompt" },
    ],
    [
      "a sub-graph's node id",
      answer({ type: "invalid_prompt", message: "Cannot execute", details: "Node ID '#57:8'" }),
      { node_id: "57:8", class_type: "Bar" },
    ],
  ])("%s names the node", (_name, recorded, problem) => {
    const graph = { "7": { class_type: "Foo", inputs: {} }, "57:8": { class_type: "Bar", inputs: {} } };
    expect(reject(recorded, graph).details).toEqual({ nodes: [expect.objectContaining(problem)] });
  });

  test("an answer without any reason is still a refusal", () => {
    const error = rejection({ accepted: false, nodeErrors: {} }, {});
    expect(error).toMatchObject({ code: "invalid_workflow", message: "ComfyUI refused the graph" });
  });
});

describe("what is listed", () => {
  const config = (names: string[]) => ["value_not_in_list", [names, { tooltip: "x" }]] as const;
  const one = (inputConfig: unknown, details: string): Recorded => ({
    error: { type: "prompt_outputs_failed_validation", message: "", details: "" },
    node_errors: {
      "4": {
        class_type: "CheckpointLoaderSimple",
        errors: [
          {
            type: "value_not_in_list",
            message: "Value not in list",
            details,
            extra_info: { input_name: "ckpt_name", input_config: inputConfig, received_value: "nope" },
          } as RecordedError,
        ],
      },
    },
  });
  const names = (count: number) => Array.from({ length: count }, (_, index) => `model-${index}`);
  const problemOf = (recorded: Recorded, graph: Graph = {}) =>
    (reject(recorded, graph).details!["nodes"] as NodeProblem[])[0]!;

  test.each([
    [20, 20],
    [21, 20],
    [5000, 20],
  ])("of %d choices, %d", (given, listed) => {
    const { expected } = problemOf(one(config(names(given))[1], "ckpt_name: 'nope' not in list"));
    expect(expected).toEqual([names(given).slice(0, listed), { tooltip: "x" }]);
  });

  test("what was received, and the title that the editor shows", () => {
    const graph: Graph = { "4": { class_type: "CheckpointLoaderSimple", inputs: {}, _meta: { title: "My model" } } };
    expect(problemOf(one(["INT", { min: 1 }], "x"), graph)).toMatchObject({
      title: "My model",
      received: "nope",
      expected: ["INT", { min: 1 }],
    });
  });

  test("a text of any length, cut at a thousand characters", () => {
    const { message } = reject(one(null, "x".repeat(100_000)), {});
    expect(message.length).toBeLessThan(1200);
    expect(message.endsWith("...")).toBe(true);
  });

  test("the first problem in the message, all of them in the details", () => {
    const problem = (node_id: string): NodeProblem => ({ node_id, class_type: "A", type: "t", message: "m" });
    const error = invalidWorkflow([problem("1"), problem("2"), problem("3")]);
    expect(error.message).toBe("node 1 (A): m (and 2 more, see details)");
    expect(error.details).toEqual({ nodes: [problem("1"), problem("2"), problem("3")] });
  });
});
