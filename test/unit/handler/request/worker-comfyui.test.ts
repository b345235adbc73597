import { describe, expect, test } from "vitest";
import { parseRequest } from "../../../../handler/request/envelope.ts";
import { isWorkerComfyui, parseWorkerComfyui } from "../../../../handler/request/worker-comfyui.ts";
import { thrownBy } from "../../../support/thrown.ts";

const GRAPH = { "1": { class_type: "LoadImage", inputs: { image: "a.png" } } };

test.each<[string, unknown, string]>([
  ["nothing", undefined, "Please provide input"],
  ["null", null, "Please provide input"],
  ["a broken text", "{", "Invalid JSON format in input"],
  ["no workflow", {}, "Missing 'workflow' parameter"],
  ["no workflow in a text", "{}", "Missing 'workflow' parameter"],
  ["a workflow that is null", { workflow: null }, "Missing 'workflow' parameter"],
  ...[{}, "text", [1], [{ name: "a" }], [{ image: "b" }]].map((images): [string, unknown, string] => [
    `images ${JSON.stringify(images)}`,
    { workflow: GRAPH, images },
    "'images' must be a list of objects with 'name' and 'image' keys",
  ]),
])("%s is refused in worker-comfyui's words", (_, input, message) => {
  expect(isWorkerComfyui(input)).toBe(true);
  expect(thrownBy(() => parseWorkerComfyui(input)).message).toBe(message);
});

test.each([
  { prompt: "a cat" },
  { prompt: GRAPH },
  { workflow_json: GRAPH },
  { init_images: ["x"] },
  GRAPH,
  { api: { method: "POST", endpoint: "/sdapi/v1/txt2img" }, payload: {} },
  JSON.stringify({ prompt: "a cat" }),
])("%j is another API's", (input) => {
  expect(isWorkerComfyui(input)).toBe(false);
});

test("pictures that cannot be read are listed as Python tells it", () => {
  const images = [
    { name: "good.png", image: "data:image/png;base64,QUJD" },
    { name: "one.png", image: "A" },
    { name: "two.png", image: "QUI" },
    { name: "three.png", image: 5 },
  ];
  const error = thrownBy(() => parseWorkerComfyui({ workflow: GRAPH, images }));
  expect(error.message).toBe("Failed to upload one or more input images");
  expect(error.details).toEqual({
    problems: [
      "Error decoding base64 for one.png: Invalid base64-encoded string: number of data characters (1) cannot be 1 more than a multiple of 4",
      "Error decoding base64 for two.png: Incorrect padding",
      "Unexpected error uploading three.png: the image must be base64",
    ],
  });
});

test("the key of a request goes to ComfyUI's extra data", () => {
  expect(parseWorkerComfyui({ workflow: GRAPH, comfy_org_api_key: "k" }).extraData).toEqual({ api_key_comfy_org: "k" });
});

describe("a call of A1111's API within a job", () => {
  const body = { prompt: "a cat" };
  test.each([
    { api: { method: "POST", endpoint: "/sdapi/v1/txt2img" }, payload: body },
    { api: { method: "post", endpoint: "txt2img" }, payload: body },
    { sdapi: { path: "/sdapi/v1/txt2img", method: "POST", body } },
    { sdapi: { path: "/sdapi/v1/txt2img", body } },
  ])("%j", (input) => {
    expect(parseRequest({ input }, "auto").kind).toBe("sdapi/txt2img");
  });

  test.each([
    { api: { method: "GET", endpoint: "/sdapi/v1/sd-models" } },
    { api: { method: "GET", endpoint: "/sdapi/v1/txt2img" }, payload: body },
    { sdapi: { path: "/sdapi/v1/options", method: "POST", body } },
  ])("%j is refused by name", (input) => {
    const error = thrownBy(() => parseRequest({ input }, "auto"));
    expect(error.code).toBe("unsupported_feature");
    expect(error.message).toMatch(/sd-models|txt2img|options/);
  });
});
