import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { NodeProblem } from "../../../runtime/comfyui/rejection.ts";
import { EndpointError, type ErrorCode } from "../../../runtime/errors.ts";
import { parseJson } from "../../../runtime/json.ts";
import { checkGraph } from "../../../workflows/check-graph.ts";
import { loadCatalogue } from "../../support/catalogue.ts";
import { thrownBy } from "../../support/thrown.ts";
import { VALIDATION_CASES } from "../../support/validation-cases.ts";

const catalogue = await loadCatalogue();
const check = (graph: unknown) => checkGraph(graph, catalogue);
const problemsOf = (graph: unknown) => thrownBy(() => check(graph)).details!["nodes"] as NodeProblem[];

const source = { class_type: "EmptyImage", inputs: { width: 8, height: 8, batch_size: 1, color: 0 } };
const output = { class_type: "SaveImage", inputs: { images: ["1", 0], filename_prefix: "a" } };
const VALID = { "1": source, "2": output };
const withInput = (name: string, value: unknown) => ({
  "1": { ...source, inputs: { ...source.inputs, [name]: value } },
  "2": output,
});

test("a graph that can run is returned as it is", () => {
  expect(check(VALID)).toBe(VALID);
});

describe("what is no graph is refused", () => {
  test.each<[string, unknown, ErrorCode]>([
    ["null", null, "invalid_workflow"],
    ["a text", "x", "invalid_workflow"],
    ["a number", 5, "invalid_workflow"],
    ["a number beyond 2^53", parseJson("99999999999999999999"), "invalid_workflow"],
    ["a list of nodes", [source, output], "invalid_workflow"],
    ["no nodes", {}, "invalid_workflow"],
    ["the editor's own format", { last_node_id: 2, nodes: [], links: [], version: 0.4 }, "workflow_format_ui"],
  ])("%s", (_name, graph, code) => {
    expect(thrownBy(() => check(graph)).code).toBe(code);
  });

  test("the editor's format is told how to export", () => {
    expect(thrownBy(() => check({ nodes: [{ id: 1 }], links: [] })).message).toContain("Export (API)");
  });

  test("nodes named `nodes` and `links` are nodes", () => {
    const graph = { nodes: source, links: { ...output, inputs: { ...output.inputs, images: ["nodes", 0] } } };
    expect(check(graph)).toBe(graph);
  });
});

describe("a malformed node is refused by its id", () => {
  test.each<[string, unknown, object]>([
    ["null", null, {}],
    ["text", "x", {}],
    ["a list", [], {}],
    ["a number beyond 2^53", parseJson("99999999999999999999"), {}],
    ["no class_type", { inputs: {} }, {}],
    ["class_type null", { class_type: null, inputs: {} }, {}],
    ["class_type empty", { class_type: "", inputs: {} }, {}],
    ["class_type a list", { class_type: ["EmptyImage"], inputs: {} }, {}],
    ["no inputs", { class_type: "EmptyImage" }, { class_type: "EmptyImage" }],
    ["inputs null", { class_type: "EmptyImage", inputs: null }, { class_type: "EmptyImage" }],
    ["inputs a list", { class_type: "EmptyImage", inputs: [] }, { class_type: "EmptyImage" }],
  ])("%s", (_name, node, problem) => {
    expect(problemsOf({ ...VALID, "57:8": node })).toEqual([
      expect.objectContaining({ node_id: "57:8", type: "invalid_node", ...problem }),
    ]);
  });

  test("all of them at once", () => {
    expect(
      problemsOf({ ...VALID, "3": null, "4": { class_type: "EmptyImage" } }).map(({ node_id }) => node_id),
    ).toEqual(["3", "4"]);
  });
});

describe("an unknown class", () => {
  const messageFor = (class_type: string) => problemsOf({ ...VALID, "3": { class_type, inputs: {} } })[0]!.message;

  test.each([
    ["saveimage", "did you mean SaveImage?"],
    ["SaveImagee", "did you mean SaveImage?"],
    ["KSampler2", "did you mean KSampler?"],
    ["IPAdapterUnifiedLoaderFaceIDXXXXXXXXXX", "is the custom node installed?"],
    ["toString", "is the custom node installed?"],
    ["__proto__", "is the custom node installed?"],
  ])("%s: %s", (classType, hint) => {
    expect(messageFor(classType)).toContain(hint);
  });

  test("is named with its title", () => {
    const node = { class_type: "NoSuchNodeAtAll", inputs: {}, _meta: { title: "My node" } };
    expect(problemsOf({ ...VALID, "3": node })).toEqual([
      expect.objectContaining({
        node_id: "3",
        class_type: "NoSuchNodeAtAll",
        title: "My node",
        type: "missing_node_type",
      }),
    ]);
  });
});

test("a graph without an output node is refused", () => {
  expect(thrownBy(() => check({ "1": source })).message).toContain("no node of the graph produces an output");
});

describe("a link to a node that is not there", () => {
  test.each([
    ["declared input", "width", ["99", 0]],
    ["undeclared input", "nonsense", ["99", 0]],
    ["slot true, a number to Python", "nonsense", ["99", true]],
    ["slot false", "nonsense", ["99", false]],
    ["slot beyond 2^53", "nonsense", ["99", parseJson("99999999999999999999")]],
    ["slot 1.5", "nonsense", ["99", 1.5]],
    ["negative slot", "nonsense", ["99", -1]],
    ["a name that every object has", "nonsense", ["toString", 0]],
    ["the prototype's name", "nonsense", ["__proto__", 0]],
  ])("is refused: %s", (_name, input, value) => {
    expect(problemsOf(withInput(input, value))).toEqual([
      expect.objectContaining({
        node_id: "1",
        class_type: "EmptyImage",
        input,
        type: "bad_linked_input",
        received: value,
      }),
    ]);
  });

  test("is told which nodes there are", () => {
    expect(problemsOf(withInput("nonsense", ["99", 0]))[0]!.message).toContain("there are: 1, 2");
  });

  test.each([
    ["not text", "nonsense", [99, 0]],
    ["three parts", "nonsense", ["99", 0, 0]],
    ["one part", "nonsense", ["99"]],
    ["a text for a slot", "nonsense", ["99", "0"]],
    ["a wrapped literal", "nonsense", { __value__: ["99", 0] }],
  ])("is no link at all: %s", (_name, input, value) => {
    expect(() => check(withInput(input, value))).not.toThrow();
  });

  test("counts wherever an output needs it, also through an undeclared input", () => {
    const graph = {
      ...withInput("nonsense", ["3", 0]),
      "3": { ...source, inputs: { ...source.inputs, width: ["98", 0] } },
    };
    expect(problemsOf(graph)).toEqual([expect.objectContaining({ node_id: "3", input: "width" })]);
  });

  test("does not count in a node that no output needs", () => {
    const graph = { ...VALID, "3": { ...source, inputs: { nonsense: ["99", 0], width: ["98", true] } } };
    expect(check(graph)).toBe(graph);
  });

  test("is found behind a cycle", () => {
    const graph = {
      "1": { ...source, inputs: { a: ["3", 0] } },
      "2": output,
      "3": { ...source, inputs: { b: ["1", 0], c: ["99", 0] } },
    };
    expect(problemsOf(graph)).toEqual([expect.objectContaining({ node_id: "3", input: "c" })]);
  });
});

describe("graphs that a real ComfyUI judged", () => {
  const promptOf = (body: unknown) => (body as { prompt?: unknown } | undefined)?.prompt;

  /** Accepted by ComfyUI and refused here, with the reason. */
  const STRICTER: Record<string, string> = {
    "one good output, one output linked to missing node": "ComfyUI would leave the bad output out without a word",
  };

  const accepted = VALIDATION_CASES.filter(({ status, run }) => status === 200 && run !== "worker thread died");

  test.each(accepted.filter(({ name }) => !(name in STRICTER)))("what it runs is let through: $name", ({ body }) => {
    expect(() => check(promptOf(body))).not.toThrow();
  });

  test.each(accepted.filter(({ name }) => name in STRICTER))("stricter on purpose: $name", ({ body }) => {
    expect(thrownBy(() => check(promptOf(body))).code).toBe("invalid_workflow");
  });

  const deadly = VALIDATION_CASES.filter(({ run }) => run === "worker thread died");
  const AT_FAULT: Record<string, object> = {
    "inputs missing on unconnected node": { node_id: "3", type: "invalid_node" },
    "extra input that looks like a link to a missing node": { node_id: "1", input: "nonsense" },
  };

  test("those that end its worker thread are known", () => {
    expect(deadly.map(({ name }) => name).sort()).toEqual(Object.keys(AT_FAULT).sort());
  });

  test.each(deadly)("what ends its worker thread is refused: $name", ({ name, body }) => {
    const error = thrownBy(() => check(promptOf(body)));
    expect(error.code).toBe("invalid_workflow");
    expect(error.message).toContain("node ");
    expect(error.details!["nodes"]).toEqual([expect.objectContaining(AT_FAULT[name]!)]);
  });

  test.each(VALIDATION_CASES)("nothing but a refusal is ever thrown: $name", ({ body }) => {
    expect(throwsOnlyRefusals(promptOf(body))).toBe(true);
  });
});

/** Whether the check passes, or refuses in its own words. */
function throwsOnlyRefusals(graph: unknown): boolean {
  try {
    check(graph);
    return true;
  } catch (error) {
    const isRefusal =
      error instanceof EndpointError && (error.code === "invalid_workflow" || error.code === "workflow_format_ui");
    if (!isRefusal) throw error;
    return true;
  }
}

describe("whatever is sent, it is accepted or refused, never a fault of ours", () => {
  const id = fc.constantFrom("1", "2", "3", "57:8", "toString", "__proto__", "constructor");
  const slot = fc.oneof(fc.integer(), fc.boolean(), fc.double(), fc.constant(parseJson("99999999999999999999")));
  const value = fc.oneof(fc.tuple(id, slot), fc.jsonValue());
  const node = fc.record(
    {
      class_type: fc.oneof(fc.constantFrom("EmptyImage", "SaveImage", "KSampler"), fc.jsonValue()),
      inputs: fc.oneof(
        { weight: 4, arbitrary: fc.dictionary(fc.string(), value) },
        { weight: 1, arbitrary: fc.jsonValue() },
      ),
      _meta: fc.jsonValue(),
    },
    { requiredKeys: [] },
  );

  test("any JSON", () => {
    fc.assert(fc.property(fc.jsonValue(), throwsOnlyRefusals), { numRuns: 500 });
  });

  test("any nodes with any links", () => {
    const graph = fc.array(
      fc.tuple(id, fc.oneof({ weight: 5, arbitrary: node }, { weight: 1, arbitrary: fc.jsonValue() })),
    );
    // JSON.parse makes an own property of "__proto__", and so does fromEntries.
    fc.assert(
      fc.property(graph, (nodes) => throwsOnlyRefusals(Object.fromEntries(nodes))),
      { numRuns: 1000 },
    );
  });

  test("a valid graph with one value replaced", () => {
    const paths = [
      ["1"],
      ["2"],
      ["1", "class_type"],
      ["2", "inputs"],
      ["2", "inputs", "images"],
      ["1", "inputs", "width"],
    ];
    const mutation = fc.tuple(fc.constantFrom(...paths), value);
    fc.assert(
      fc.property(mutation, ([path, replacement]) => {
        const graph = structuredClone(VALID) as Record<string, unknown>;
        const parent = path.slice(0, -1).reduce((at, key) => at[key] as Record<string, unknown>, graph);
        parent[path.at(-1)!] = replacement;
        return throwsOnlyRefusals(graph);
      }),
      { numRuns: 500 },
    );
  });
});
