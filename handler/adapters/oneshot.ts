/** One payload from a file or stdin; the result as JSON on stdout. For batch jobs, CI, and trying things out. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { EndpointError, toEndpointError, toErrorBody } from "../../runtime/errors.ts";
import { parseJson } from "../../runtime/json.ts";
import type { Endpoint } from "../endpoint.ts";
import type { InvocationResult } from "../invocation.ts";

/** Exit codes: 0 done, 1 may succeed when tried again, 2 will not. */
export type ExitCode = 0 | 1 | 2;

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
  const body =
    result.status === "failed"
      ? toErrorBody(result.error, result.id)
      : outDir === undefined
        ? result.body
        : await writeOutputs(result.body, outDir);
  process.stdout.write(`${JSON.stringify(body, null, 2)}\n`);
  if (result.status === "succeeded") return 0;
  return result.error.retryable ? 1 : 2;
}

async function readPayload(source: string): Promise<unknown> {
  const content = await (source === "-" ? text(process.stdin) : readFile(source, "utf8")).catch((cause) => {
    throw new EndpointError("invalid_request", `cannot read ${source}`, { cause });
  });
  try {
    return parseJson(content);
  } catch (cause) {
    throw new EndpointError("invalid_json", `${source} is not JSON: ${(cause as Error).message}`, { cause });
  }
}

/** Moves base64 out of a result into files: `images[]` of the A1111 form, `outputs[].data` of ours. */
async function writeOutputs(body: unknown, outDir: string): Promise<unknown> {
  const result = body as { images?: string[]; outputs?: { name: string; data?: string; file?: string }[] };
  const write = async (name: string, base64: string) => {
    const file = join(outDir, name);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, Buffer.from(base64, "base64"));
    return file;
  };
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
