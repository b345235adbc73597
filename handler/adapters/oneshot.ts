/** One payload from a file or stdin; the result as JSON on stdout. For batch jobs, CI, and trying things out. */
import { toEndpointError, toErrorBody } from "../../runtime/errors.ts";
import { type ExitCode, printFailure, printResult, readPayload, saveOutput } from "../command-line.ts";
import type { Endpoint } from "../endpoint.ts";
import type { InvocationResult } from "../invocation.ts";

export interface OneshotOptions {
  /** A file, or `-` for stdin. */
  source: string;
  /** Folder for the outputs as files; stdout then names them instead of carrying them. */
  outDir: string | undefined;
  signal: AbortSignal;
}

export async function runOneshot(endpoint: Endpoint, { source, outDir, signal }: OneshotOptions): Promise<ExitCode> {
  const result = await readPayload(source).then(
    (payload) => endpoint.invoke({ source: "oneshot", attempt: 1, dialect: "auto", payload, signal }),
    (error): InvocationResult => ({ id: "", status: "failed", error: toEndpointError(error) }),
  );
  if (result.status === "failed") return printFailure(toErrorBody(result.error, result.id));
  return printResult(outDir === undefined ? result.body : await writeOutputs(result.body, outDir));
}

/** Moves base64 out of a result into files: `images[]` of the A1111 form, `outputs[].data` of ours. */
async function writeOutputs(body: unknown, outDir: string): Promise<unknown> {
  const result = body as { images?: string[]; outputs?: { name: string; data?: string; file?: string }[] };
  const write = (name: string, base64: string) => saveOutput(outDir, name, Buffer.from(base64, "base64"));
  if (result.images) {
    return {
      ...result,
      images: await Promise.all(result.images.map((data, index) => write(`image-${index}.png`, data))),
    };
  }
  const outputs = (result.outputs ?? []).map(async ({ data, ...output }) =>
    data === undefined ? output : { ...output, file: await write(output.name, data) },
  );
  return { ...result, outputs: await Promise.all(outputs) };
}
