import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Dialect } from "../../../../handler/invocation.ts";
import { parseRequest } from "../../../../handler/request/envelope.ts";
import { TXT2IMG_FIELDS } from "../../../../handler/request/sdapi/fields.ts";
import { EndpointError, type ErrorCode } from "../../../../runtime/errors.ts";
import { parseJson } from "../../../../runtime/json.ts";
import { loadInventory } from "../../../support/catalogue.ts";
import { rejectionOf, thrownBy } from "../../../support/thrown.ts";

const inventory = await loadInventory();
const GRAPH = {
  "1": { class_type: "EmptyImage", inputs: { width: 8, height: 8, batch_size: 1, color: 0 } },
  "2": { class_type: "SaveImage", inputs: { images: ["1", 0], filename_prefix: "a" } },
};
const OTHER = { "7": GRAPH["1"], "8": { ...GRAPH["2"], inputs: { images: ["7", 0], filename_prefix: "b" } } };
const UI_EXPORT = { last_node_id: 2, nodes: [{ id: 1 }], links: [], version: 0.4 };

const graphOf = async (payload: unknown, dialect: Dialect = "auto") => {
  const built = await parseRequest(payload, dialect).build(inventory);
  return "graph" in built ? built.graph : undefined;
};

describe("a graph is found in every form that is in use", () => {
  test.each<[string, unknown]>([
    ["ComfyUI and comfyui-api: prompt", { prompt: GRAPH }],
    ["with options beside it", { prompt: GRAPH, client_id: "x", id: "abc", extra_data: {} }],
    ["a bare graph", GRAPH],
    ["Comfy API v2: workflow", { workflow: GRAPH }],
    ["worker-comfyui: input.workflow", { input: { workflow: GRAPH } }],
    ["the wrapper: input.workflow_json", { input: { workflow_json: GRAPH } }],
    ["input.prompt", { input: { prompt: GRAPH } }],
    ["a bare graph in input", { input: GRAPH }],
    ["input as JSON text", { input: JSON.stringify({ workflow: GRAPH }) }],
  ])("%s", async (_name, payload) => {
    expect(parseRequest(payload, "auto").kind).toBe("graph");
    expect(await graphOf(payload)).toEqual(GRAPH);
  });

  test.each<[string, unknown]>([
    ["input before prompt", { input: { workflow: GRAPH }, prompt: OTHER }],
    ["workflow_json before workflow", { input: { workflow_json: GRAPH, workflow: OTHER } }],
    ["workflow before a prompt of words", { workflow: GRAPH, prompt: "a fox" }],
  ])("the first form that fits counts: %s", async (_name, payload) => {
    expect(await graphOf(payload)).toEqual(GRAPH);
  });
});

describe("an A1111 body is told by its prompt of words", () => {
  test.each<[string, unknown]>([
    ["bare", { prompt: "a fox", steps: 4 }],
    ["in input", { input: { prompt: "a fox", steps: 4 } }],
    ["in input as JSON text", { input: '{"prompt":"a fox"}' }],
    ["with a prompt of no words", { prompt: "" }],
  ])("%s", async (_name, payload) => {
    expect(parseRequest(payload, "auto").kind).toBe("sdapi/txt2img");
  });

  test("the route needs no prompt at all", async () => {
    expect(parseRequest({}, "sdapi/txt2img").kind).toBe("sdapi/txt2img");
  });
});

describe("the editor's own format is recognised wherever a graph is expected", () => {
  test.each<[string, unknown, Dialect?]>([
    ["bare", UI_EXPORT],
    ["prompt", { prompt: UI_EXPORT }],
    ["workflow", { workflow: UI_EXPORT }],
    ["input", { input: UI_EXPORT }],
    ["input.workflow", { input: { workflow: UI_EXPORT } }],
    ["input.workflow_json", { input: { workflow_json: UI_EXPORT } }],
    ["prompt of comfyui-api", { prompt: UI_EXPORT }, "comfyui-api"],
  ])("%s", async (_name, payload, dialect) => {
    expect((await rejectionOf(graphOf(payload, dialect))).code).toBe("workflow_format_ui");
  });
});

describe("what has no known form is refused", () => {
  test.each<[string, unknown, ErrorCode, string]>([
    ["null", null, "invalid_request", "accepted are"],
    ["text", "x", "invalid_request", "accepted are"],
    ["a list", [GRAPH], "invalid_request", "accepted are"],
    ["a number beyond 2^53", parseJson("99999999999999999999"), "invalid_request", "accepted are"],
    ["nothing", {}, "invalid_request", "accepted are"],
    ["a prompt that is a number", { prompt: 5 }, "invalid_request", "accepted are"],
    ["some nodes only", { ...GRAPH, extra: 5 }, "invalid_request", "accepted are"],
    ["an input of nothing", { input: {} }, "invalid_request", "accepted are"],
    ["an input that is a list", { input: [] }, "invalid_request", "accepted are"],
    ["an input of null", { input: null }, "invalid_request", "accepted are"],
    ["an input that is no JSON", { input: "{oops" }, "invalid_request", "input: is a string, but not JSON"],
    ["an input of JSON text that is no object", { input: "[1]" }, "invalid_request", "accepted are"],
    ["img2img without a picture", { prompt: "x", init_images: [] }, "invalid_request", "init_images"],
    ["a modifier", { input: { modifier: "x", workflow_json: GRAPH } }, "unsupported_feature", "input.modifier"],
    ["modifications", { input: { modifications: {} } }, "unsupported_feature", "input.modifications"],
  ])("%s", async (_name, payload, code, text) => {
    const error = thrownBy(() => parseRequest(payload, "auto"));
    expect(error.code).toBe(code);
    expect(error.message).toContain(text);
  });

  test.each([[null], ["x"], [{}], [{ prompt: "a fox" }], [{ workflow: GRAPH }]])(
    "comfyui-api's route takes a graph under `prompt` alone, not %j",
    async (payload) => {
      expect(thrownBy(() => parseRequest(payload, "comfyui-api")).code).toBe("invalid_request");
    },
  );

  test.each([[null], ["x"], [[]], [5]])("A1111's route takes an object, not %j", async (payload) => {
    expect(thrownBy(() => parseRequest(payload, "sdapi/txt2img")).message).toBe("value is not a valid dict");
  });
});

describe("whatever is sent, it is understood or refused, never a fault of ours", () => {
  const dialect = fc.constantFrom<Dialect>("auto", "comfyui-api", "sdapi/txt2img");
  const exact = fc.constantFrom(..."99999999999999999999 -18446744073709551616".split(" ").map(parseJson));
  const value = fc.oneof(
    fc.jsonValue(),
    exact,
    fc.constant(GRAPH),
    fc.constant(UI_EXPORT),
    fc.constant({ toString: 1 }),
  );
  const options =
    "id extra_data convert_output s3 webhook comfy_org_api_key images credentials init_images modifier".split(" ");

  const isHandled = async (payload: unknown, asked: Dialect) => {
    try {
      await parseRequest(payload, asked).build(inventory);
    } catch (error) {
      if (!(error instanceof EndpointError) || error.code === "internal") throw error;
    }
  };

  test("any JSON", async () => {
    await fc.assert(fc.asyncProperty(fc.jsonValue(), dialect, isHandled), { numRuns: 500 });
  });

  test("any values under the names that mean something", async () => {
    const names = fc.constantFrom("prompt", "workflow", "workflow_json", "input", "nodes", "links", ...options);
    const fields = fc.dictionary(names, value, { noNullPrototype: true });
    const payload = fc.oneof(
      fields,
      fc.record({ input: fields }),
      fc.record({ input: fields.map((it) => JSON.stringify(it)) }),
    );
    await fc.assert(fc.asyncProperty(payload, dialect, isHandled), { numRuns: 1500 });
  });

  test("any values in A1111's fields", async () => {
    const fields = fc.dictionary(fc.constantFrom(...Object.keys(TXT2IMG_FIELDS)), value, { noNullPrototype: true });
    await fc.assert(
      fc.asyncProperty(fields, (payload) => isHandled(payload, "sdapi/txt2img")),
      { numRuns: 1500 },
    );
  });
});
