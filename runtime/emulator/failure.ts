/** How ComfyUI tells of a node that raised: the fields of `execution_error`, and its log lines. */
import { log } from "./log.ts";
import { NodeError } from "./nodes/node.ts";
import { dumps, PythonError, repr } from "./python.ts";

const OUT_OF_MEMORY = "torch.OutOfMemoryError";
const OUT_OF_MEMORY_TIPS =
  "This error means you ran out of memory on your GPU.\n\nTIPS: If the workflow worked before you might have accidentally set the batch_size to a large number.";

/** Logs a failure. @returns its part of the `execution_error` message */
export function reportFailure(
  error: unknown,
  classType: string,
  values: Record<string, unknown[]>,
): Record<string, unknown> {
  const { type, message } = describe(error);
  const isOutOfMemory = type === OUT_OF_MEMORY;
  log.error(`!!! Exception during processing !!! ${message}`);
  log.error(`Traceback (most recent call last):\n${traceback(classType).join("")}${type}: ${message}\n`);
  if (isOutOfMemory) log.error("Got an OOM, unloading all loaded models.");
  return {
    exception_message: `${message}\n${isOutOfMemory ? OUT_OF_MEMORY_TIPS : ""}`,
    exception_type: type,
    traceback: traceback(classType),
    current_inputs: Object.fromEntries(Object.entries(values).map(([name, list]) => [name, list.map(format)])),
  };
}

function describe(error: unknown): { type: string; message: string } {
  if (error instanceof NodeError) return { type: error.exceptionType, message: error.message };
  if (error instanceof PythonError) return { type: error.type, message: error.message };
  return error instanceof Error
    ? { type: error.name, message: error.message }
    : { type: "Exception", message: String(error) };
}

/** A value in `current_inputs`: scalars as they are, everything else as text. */
function format(value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (typeof value !== "object" || value === null) return value;
  if (!("kind" in value)) return repr(JSON.parse(dumps(value)));
  const { kind, batch, height, width, channels } = value as Record<string, unknown>;
  return `${kind}(${[batch, height, width, channels].filter((size) => size !== undefined).join(", ")})`;
}

function traceback(classType: string): string[] {
  return [`  File "emulator", in execute\n`, `  File "emulator", in ${classType}\n`];
}
