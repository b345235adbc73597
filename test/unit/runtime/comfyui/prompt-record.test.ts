import { describe, expect, test } from "vitest";
import type { HistoryEntry } from "../../../../runtime/comfyui/client.ts";
import { PromptRecord } from "../../../../runtime/comfyui/prompt-record.ts";
import type { EngineMessage } from "../../../../runtime/comfyui/socket.ts";
import type { ErrorCode } from "../../../../runtime/errors.ts";
import { thrownBy } from "../../../support/thrown.ts";

const message = (type: string, data: Record<string, unknown> = {}): EngineMessage => ({
  type,
  data: { prompt_id: "p", ...data },
});

const START = message("execution_start", { timestamp: 1_700_000_000_000 });
const CACHED = message("execution_cached", { nodes: ["1", "4"] });
const SUCCESS = message("execution_success", { timestamp: 1_700_000_001_000 });
const DONE = message("executing", { node: null });
const FAILURE = message("execution_error", {
  node_id: "3",
  node_type: "KSampler",
  exception_type: "ValueError",
  exception_message: "bad shape\n",
  traceback: ["  File ..."],
});

function recordOf(...messages: EngineMessage[]): PromptRecord {
  const record = new PromptRecord();
  for (const each of messages) record.apply(each);
  return record;
}

describe("messages", () => {
  test("only `executing` without a node ends a prompt", () => {
    const record = new PromptRecord();
    const ends = [START, CACHED, message("executing", { node: "2" }), message("progress"), SUCCESS, DONE].map((each) =>
      record.apply(each),
    );
    expect(ends).toEqual([false, false, false, false, false, true]);
  });

  test("a success carries outputs, cached nodes and times", () => {
    const images = [{ filename: "a_00001_.png", subfolder: "", type: "output" }];
    const record = recordOf(
      START,
      CACHED,
      message("executing", { node: "9" }),
      message("executed", { node: "9", output: { images } }),
      SUCCESS,
      DONE,
    );
    expect(record.result()).toEqual({
      outputs: { "9": { images } },
      cachedNodes: ["1", "4"],
      startedAt: 1_700_000_000_000,
      finishedAt: expect.any(Number),
      nodes: { "9": { start: expect.any(Number) } },
    });
  });

  test("a cached output node that sends no output has none", () => {
    expect(recordOf(START, message("executed", { node: "9", output: null }), SUCCESS, DONE).result().outputs).toEqual(
      {},
    );
  });

  test("a node that reports in several steps began when it was first heard of", () => {
    const record = recordOf(message("executing", { node: "9" }));
    const { start } = record.nodes["9"]!;
    record.apply(message("executing", { node: "9" }));
    expect(record.nodes["9"]).toEqual({ start });
  });
});

describe("the verdict", () => {
  test("an ExecutionBlocker's error before the success does not count", () => {
    expect(recordOf(START, FAILURE, SUCCESS, DONE).result().outputs).toEqual({});
  });

  test("an error after which nothing came fails with node, class and exception", () => {
    const error = thrownBy(() => recordOf(START, FAILURE, DONE).result());
    expect(error).toMatchObject({
      code: "execution_error",
      message: "node 3 (KSampler) raised ValueError: bad shape",
      details: {
        node_id: "3",
        class_type: "KSampler",
        exception_type: "ValueError",
        exception_message: "bad shape",
      },
    });
  });

  test("an interrupted prompt is cancelled", () => {
    const error = thrownBy(() => recordOf(START, message("execution_interrupted", { node_id: "3" }), DONE).result());
    expect(error.code).toBe("cancelled");
  });

  test("an error that says nothing is still an error", () => {
    const error = thrownBy(() => recordOf(START, message("execution_error"), DONE).result());
    expect(error).toMatchObject({ code: "execution_error", details: { node_id: null } });
  });
});

describe("exceptions that mean more than a failing node", () => {
  test.each<[type: string, text: string, code: ErrorCode]>([
    ["torch.OutOfMemoryError", "Allocation on device 0 would exceed allowed memory.", "out_of_memory"],
    ["torch.cuda.OutOfMemoryError", "CUDA out of memory. Tried to allocate 2.00 GiB.", "out_of_memory"],
    ["torch.AcceleratorError", "CUDA error: out of memory", "out_of_memory"],
    ["torch.AcceleratorError", "CUDA error: no kernel image is available", "execution_error"],
    ["RuntimeError", "[enforce fail at alloc_cpu.cpp:124] not enough memory", "execution_error"],
    ["ValueError", "the prompt says: out of memory", "execution_error"],
    ["RuntimeError", "CUDA error: unspecified launch failure", "comfyui_exited"],
    ["torch.AcceleratorError", "CUDA error: device-side assert triggered", "comfyui_exited"],
    ["RuntimeError", "CUDA error: an illegal memory access was encountered", "comfyui_exited"],
    ["RuntimeError", "Triton Error [CUDA]: device kernel image is invalid", "comfyui_exited"],
    ["RuntimeError", "CUDA error: misaligned address", "comfyui_exited"],
    ["RuntimeError", "CUDA error: invalid device function", "comfyui_exited"],
    ["RuntimeError", "CUDA error: invalid configuration argument", "comfyui_exited"],
  ])("%s: %s is %s", (exception_type, exception_message, code) => {
    const failure = { node_id: "3", node_type: "KSampler", exception_type, exception_message };
    const error = thrownBy(() => recordOf(START, message("execution_error", failure), DONE).result());
    expect(error).toMatchObject({ code, details: { node_id: "3", exception_type } });
  });
});

describe("the history entry", () => {
  const entry = (status_str: "success" | "error", ...messages: EngineMessage[]): HistoryEntry => ({
    outputs: { "9": { images: [{ filename: "a.png" }] } },
    status: { status_str, messages: messages.map(({ type, data }) => [type, data]) },
  });

  test("adds what the lost messages would have told", () => {
    const record = recordOf(START);
    record.applyHistory(entry("success", START, CACHED, SUCCESS));
    expect(record.result()).toMatchObject({
      outputs: { "9": { images: [{ filename: "a.png" }] } },
      cachedNodes: ["1", "4"],
      startedAt: 1_700_000_000_000,
    });
  });

  test.each<[string, HistoryEntry, ErrorCode]>([
    ["an error with its message", entry("error", START, FAILURE), "execution_error"],
    ["an error without messages", entry("error"), "execution_error"],
    ["an interrupt", entry("error", START, message("execution_interrupted")), "cancelled"],
  ])("%s fails", (_name, given, code) => {
    const record = new PromptRecord();
    record.applyHistory(given);
    expect(thrownBy(() => record.result()).code).toBe(code);
  });

  test("a success without messages is a success", () => {
    const record = new PromptRecord();
    record.applyHistory(entry("success"));
    expect(record.result().outputs).toHaveProperty("9");
  });
});
