import { expect, test } from "vitest";
import { encodeWorkerComfyui, encodeWorkerComfyuiError } from "../../../../handler/outputs/worker-comfyui-response.ts";
import { EndpointError, ERRORS, type ErrorCode } from "../../../../runtime/errors.ts";
import { completed, output } from "../../../support/completed.ts";
import { thrownBy } from "../../../support/thrown.ts";

const data = Buffer.from("pixels").toString("base64");

test("outputs of every kind are in one list, by their plain names", () => {
  const video = output({ name: "b.mp4", type: "video", contentType: "video/mp4" });
  expect(encodeWorkerComfyui(completed([output({ name: "sub/a.png" }), video]))).toEqual({
    images: [
      { filename: "a.png", type: "base64", data },
      { filename: "b.mp4", type: "base64", data },
    ],
  });
});

test("what lies in a bucket comes as a link", () => {
  const stored = output({ location: { bucket: "pics", key: "k/a.png", url: "https://link" } });
  const unlinked = output({ location: { bucket: "pics", key: "k/a.png" } });
  expect(encodeWorkerComfyui(completed([stored, unlinked]))).toEqual({
    images: [
      { filename: "a.png", type: "s3_url", data: "https://link" },
      { filename: "a.png", type: "s3_url", data: "s3://pics/k/a.png" },
    ],
  });
});

test("a run without pictures is a success; one without any output is a failure", () => {
  const { run } = completed([]);
  const previews = { "9": { images: [{ filename: "t.png", type: "temp" }] } };
  const ran = completed([], { run: { ...run, outputs: previews } });
  expect(encodeWorkerComfyui(ran)).toEqual({ status: "success_no_images", images: [] });
  const error = thrownBy(() => encodeWorkerComfyui(completed([])));
  expect(encodeWorkerComfyuiError(error)).toEqual({
    error: "Job processing failed",
    details: ["No outputs found in history for prompt id-1."],
  });
});

const encode = (code: ErrorCode, details?: Record<string, unknown>) =>
  encodeWorkerComfyuiError(new EndpointError(code, "why", details && { details }));

test("a graph that ComfyUI refuses: a line for each node's problem, and the checkpoints that there are", () => {
  const expected = [["a.safetensors", "b.safetensors"], {}];
  const type = "value_not_in_list";
  const node = {
    node_id: "4",
    class_type: "CheckpointLoaderSimple",
    input: "ckpt_name",
    type,
    message: "Value not in list",
  };
  expect(encode("invalid_workflow", { nodes: [{ ...node, expected }] }).error).toBe(
    [
      "Workflow validation failed:",
      "• Node 4 (errors): ckpt_name: Value not in list",
      "• Node 4 (class_type): CheckpointLoaderSimple",
      "",
      "Available checkpoint models: a.safetensors, b.safetensors",
    ].join("\n"),
  );
  expect(encode("invalid_workflow", { nodes: [{ ...node, expected: [[], {}] }] }).error).toMatch(
    /No checkpoint models appear to be available\. Please check your model installation\.$/,
  );
  expect(encode("invalid_workflow").error).toBe("Workflow validation failed:\n• why");
});

const UNREACHABLE = "ComfyUI server (127.0.0.1:8188) not reachable after multiple retries.";

test.each<[ErrorCode, unknown]>([
  ["invalid_request", { error: "why" }],
  ["execution_error", { error: "Job processing failed", details: ["Workflow execution error: why"] }],
  ["upload_failed", { error: "Job processing failed", details: ["why"] }],
  ["comfyui_start_failed", { error: UNREACHABLE, details: ["why"] }],
  ["comfyui_exited", { error: "WebSocket communication error: why" }],
  ["internal", { error: "An unexpected error occurred: why" }],
  ["output_too_large", { error: "output_too_large: why" }],
])("%s", (code, expected) => {
  expect(encode(code)).toEqual(expected);
});

test("a node that raises is named by its type, its id and its message", () => {
  const details = { class_type: "KSampler", node_id: "3", exception_message: "bad" };
  expect(encode("execution_error", details).details).toEqual([
    "Workflow execution error: Node Type: KSampler, Node ID: 3, Message: bad",
  ]);
});

test("every code has words", () => {
  for (const code of Object.keys(ERRORS) as ErrorCode[]) expect(encode(code).error, code).not.toBe("");
});
