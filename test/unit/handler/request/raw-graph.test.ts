import { describe, expect, test } from "vitest";
import { parseGraphRequest } from "../../../../handler/request/raw-graph.ts";
import { thrownBy } from "../../../support/thrown.ts";

const parse = (options: Record<string, unknown>, isComfyuiApi = false) =>
  parseGraphRequest({ graph: {}, options, isComfyuiApi });

describe("an option that cannot be honoured is refused by name", () => {
  test.each([
    ["webhook", "https://example.com"],
    ["webhook_v2", "https://example.com"],
    ["credentials", []],
    ["azure_blob_upload", { container: "c" }],
    ["hf_upload", { repo: "r" }],
    ["http_upload", { url_prefix: "https://example.com" }],
    ["images", [{ name: "a.png", image: "" }]],
    ["partial_execution_targets", ["9"]],
    ["number", 0],
    ["front", false],
  ])("%s", (name, value) => {
    const error = thrownBy(() => parse({ [name]: value }));
    expect(error.code).toBe("unsupported_feature");
    expect(error.message).toMatch(new RegExp(`^${name}:`));
  });

  test("null asks for nothing, and fields of other servers are let through", () => {
    expect(() => parse({ webhook: null, number: null, client_id: "x", metadata: {}, priority: 1 })).not.toThrow();
  });
});

describe("the id", () => {
  test.each(["a", "x".repeat(200), "job 7 ü#%", "...", "a..b"])("%j is taken", (id) => {
    expect(parse({ id }).id).toBe(id);
  });

  test.each(["", "x".repeat(201), "a/b", "a\\b", "..", ".", "a\nb", "a\0b", 5])("%j is refused", (id) => {
    expect(thrownBy(() => parse({ id })).details).toEqual({ issues: [{ field: "id", message: expect.any(String) }] });
  });

  test("where there is none, the request has none", () => {
    expect(parse({})).not.toHaveProperty("id");
  });
});

describe("extra_data", () => {
  test.each<[string, Record<string, unknown>, object]>([
    ["is passed on", { extra_data: { extra_pnginfo: { workflow: {} } } }, { extra_pnginfo: { workflow: {} } }],
    ["holds the key of comfyui-api", { comfy_org_api_key: "k" }, { api_key_comfy_org: "k" }],
    ["holds the key by its other name", { api_key_comfy_org: "k" }, { api_key_comfy_org: "k" }],
    [
      "keeps its own key where the request has none",
      { extra_data: { api_key_comfy_org: "own" } },
      { api_key_comfy_org: "own" },
    ],
    [
      "gives way to the request's key",
      { comfy_org_api_key: "k", extra_data: { api_key_comfy_org: "own", a: 1 } },
      { api_key_comfy_org: "k", a: 1 },
    ],
    ["is empty otherwise", {}, {}],
  ])("%s", (_name, options, expected) => {
    expect(parse(options).extraData).toEqual(expected);
  });

  test.each([[null], ["x"], [[]], [5]])("%j is refused: some versions of ComfyUI die of it", (extra_data) => {
    expect(thrownBy(() => parse({ extra_data })).code).toBe("invalid_request");
  });
});

test("comfyui-api's answer carries the bytes, ours only where there is no bucket", () => {
  expect(parse({}, true).delivery.isInline).toBe(true);
  expect(parse({}, false).delivery.isInline).toBe(false);
});
