/** The pipeline: one invocation from payload to delivered outputs. */
import { randomUUID } from "node:crypto";
import type { Logger } from "pino";
import type { PromptResult } from "../runtime/comfyui/prompt-record.ts";
import type { Engine } from "../runtime/engine.ts";
import { withOutputFolder } from "../workflows/output-prefix.ts";
import type { Invocation, Timings } from "./invocation.ts";
import { collectOutputs } from "./outputs/collect.ts";
import type { Outputs } from "./outputs/deliver.ts";
import { encodeFile, encodeText } from "./outputs/encode.ts";
import { uniqueNames } from "./outputs/names.ts";
import type { Artifact } from "./outputs/output.ts";
import type { Delivery } from "./request/delivery.ts";
import type { Request } from "./request/request.ts";

export interface Collaborators {
  engine: Engine;
  outputs: Outputs;
  log: Logger;
}

export interface ParsedInvocation extends Invocation {
  id: string;
  request: Request;
}

/**
 * Runs one invocation.
 * @returns the answer's JSON, in the dialect of the request.
 * @throws EndpointError of any code; nothing is delivered in part: a failed upload fails the invocation.
 */
export async function handle(invocation: ParsedInvocation, { engine, outputs, log }: Collaborators): Promise<unknown> {
  const { id, attempt, signal, request } = invocation;
  const folder = `job-${randomUUID()}`;
  const clock = new StageClock();
  try {
    const { graph: wanted, encode } = request.build(await engine.catalogue(signal));
    const graph = withOutputFolder(wanted, folder);
    clock.lap("preparing");

    const run = await engine.run(graph, {
      signal,
      extraData: request.extraData,
      onStart: (promptId) => {
        clock.lap("queued");
        log.info({ promptId, kind: request.kind }, "prompt queued");
      },
      onProgress: (progress) =>
        invocation.onProgress?.({ ...progress, classType: graph[progress.nodeId]?.class_type ?? "" }),
    });
    clock.lap("running");

    const artifacts = await gather(run, { engine, folder, delivery: request.delivery });
    const delivered = await outputs.deliver(artifacts, { id, attempt, delivery: request.delivery, signal });
    clock.lap("delivering");

    return encode({ id, graph, run, outputs: delivered, timings: clock.timings });
  } finally {
    log.info({ elapsedMs: clock.timings }, "invocation finished");
    void engine.remove({ type: "output", subfolder: "", filename: folder });
  }
}

/** Reads and encodes what the prompt produced, in parallel, and takes it off the engine's disk. */
async function gather(
  run: PromptResult,
  { engine, folder, delivery }: { engine: Engine; folder: string; delivery: Delivery },
): Promise<Artifact[]> {
  const { files, texts, disposable } = collectOutputs(run.outputs, folder);
  const encoded = files.map(async (file) => encodeFile(file, await engine.read(file.reference), delivery.convert));
  try {
    const artifacts = [...(await Promise.all(encoded)), ...texts.map(encodeText)];
    // Only now, since two pictures may have become equal in name by their new format.
    const names = uniqueNames(artifacts.map(({ name }) => name));
    return artifacts.map((artifact, index) => ({ ...artifact, name: names[index]! }));
  } finally {
    for (const reference of disposable) void engine.remove(reference);
  }
}

/** Milliseconds between the stages' ends. */
class StageClock {
  readonly timings: Timings = { preparing: 0, queued: 0, running: 0, delivering: 0, total: 0 };
  readonly #start = performance.now();
  #last = this.#start;

  lap(stage: Exclude<keyof Timings, "total">): void {
    const now = performance.now();
    this.timings[stage] += Math.round(now - this.#last);
    this.timings.total = Math.round(now - this.#start);
    this.#last = now;
  }
}
