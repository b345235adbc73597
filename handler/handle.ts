/** The pipeline: one invocation from payload to delivered outputs. */
import { randomUUID } from "node:crypto";
import type { Logger } from "pino";
import type { Graph } from "../runtime/comfyui/graph.ts";
import type { Progress } from "../runtime/comfyui/prompt-record.ts";
import type { Engine, RunOptions } from "../runtime/engine.ts";
import type { Engines } from "../runtime/engines.ts";
import { EndpointError } from "../runtime/errors.ts";
import type { Permit } from "../runtime/permit.ts";
import { withOutputFolder } from "../workflows/output-prefix.ts";
import type { Invocation, InvocationResult, Timings } from "./invocation.ts";
import { type Collected, collectOutputs } from "./outputs/collect.ts";
import type { Outputs } from "./outputs/deliver.ts";
import { encodeFile, encodeText } from "./outputs/encode.ts";
import { uniqueNames } from "./outputs/names.ts";
import { encodeLinks } from "./outputs/native-response.ts";
import type { Artifact, DeliveredOutput, ProducedFile } from "./outputs/output.ts";
import type { Delivery } from "./request/delivery.ts";
import type { BuiltGraph, Inventory, Made, Request } from "./request/request.ts";

export interface Collaborators {
  engines: Engines;
  outputs: Outputs;
  /** For what is made without the engine. */
  turns: Permit;
  log: Logger;
}

export interface ParsedInvocation extends Invocation {
  id: string;
  request: Request;
  /** Whether pictures of the way are wanted. */
  wantsPreviews: boolean;
  /** Everything is ready for the engine, which may be busy. */
  onReady(): void;
  /** The engine begins with this graph. */
  onStart(graph: Graph): void;
  onProgress(progress: Progress): void;
  onPreview(picture: Buffer): void;
}

export interface Answer extends Pick<Extract<InvocationResult, { status: "succeeded" }>, "body" | "links"> {
  timings: Timings;
  outputs: readonly DeliveredOutput[];
}

/**
 * Runs one invocation.
 * @returns the answer's JSON, in the dialect of the request, and what is counted of it.
 * @throws EndpointError of any code; nothing is delivered in part: a failed upload fails the invocation.
 */
export async function handle(
  invocation: ParsedInvocation,
  { engines, outputs, turns, log }: Collaborators,
): Promise<Answer> {
  const { id, attempt, signal, request } = invocation;
  const clock = new StageClock();
  const job: Job = { invocation, engines, log, clock, leftovers: [] };
  try {
    const built = request.make
      ? await makeInTurn(request.make, { turns, signal, clock, onStart: () => invocation.onStart({}) })
      : await buildRequest(request, await firstInventory(job));
    const { artifacts, encode } = "graph" in built ? await runGraph(built, job) : built;
    const delivered = await outputs.deliver(artifacts, { id, attempt, delivery: request.delivery, signal });
    clock.lap("delivering");
    const { timings } = clock;
    const body = encode({ id, outputs: delivered, timings });
    return { body, links: encodeLinks(id, delivered), timings, outputs: delivered };
  } finally {
    log.info({ elapsedMs: clock.timings }, "invocation finished");
    // After the answer, which must not wait for it.
    setImmediate(() => {
      for (const remove of job.leftovers) void remove();
    });
  }
}

/** What graphs are built from; an engine that still starts is waited for. */
async function firstInventory({ invocation, engines, clock }: Job): Promise<Inventory> {
  const catalogue = await engines.catalogue(invocation.signal);
  clock.lap("queued");
  return { catalogue, models: engines.models, isFresh: false };
}

interface Job extends Pick<Collaborators, "engines" | "log"> {
  invocation: ParsedInvocation;
  clock: StageClock;
  /** What removes the files that are left. */
  leftovers: (() => Promise<void>)[];
}

async function runGraph(built: BuiltGraph, job: Job): Promise<Made> {
  const { request } = job.invocation;
  const folder = `job-${randomUUID()}`;
  const graph = withOutputFolder(built.graph, folder);
  job.clock.lap("preparing");
  const produce = async (only?: Engine) => {
    const { engine, run } = await runInTurn({ graph, folder, inputs: built.inputs }, job, only);
    const collected = collectOutputs(run.outputs, folder);
    job.leftovers.push(...collected.strays.map((stray) => () => engine.remove(stray)));
    try {
      const artifacts = await encodeAll(collected, engine, request.delivery, built);
      return { run, artifacts: (await built.finish?.(artifacts)) ?? artifacts };
    } catch (error) {
      if (only || !(error instanceof EndpointError && error.code === "output_missing")) throw error;
      // A node without a file name prefix of its own: ComfyUI's cache names a file of an earlier run, long removed.
      await engine.forgetResults();
      return await produce(engine);
    }
  };
  const { run, artifacts } = await produce();
  return { artifacts, encode: (done) => built.encode({ ...done, graph, run }) };
}

/** Waits for an engine, and runs the graph on it. */
async function runInTurn(
  { graph, folder, inputs }: { graph: Graph; folder: string; inputs: BuiltGraph["inputs"] },
  job: Job,
  only?: Engine,
) {
  const { invocation, engines, log, clock, leftovers } = job;
  const { request, signal } = invocation;
  const nextTurn = engines.turn(graph, signal, only);
  invocation.onReady();
  const turn = await nextTurn;
  const { engine } = turn;
  const options: RunOptions = {
    signal,
    extraData: { ...request.extraData, ...(invocation.wantsPreviews && { preview_method: "latent2rgb" }) },
    onStart: (promptId) => {
      clock.lap("queued");
      invocation.onStart(graph);
      log.info({ promptId, kind: request.kind, engineUrl: engine.url }, "prompt queued");
    },
    onProgress: invocation.onProgress,
    onPreview: invocation.onPreview,
  };
  try {
    leftovers.push(() => engine.remove({ type: "output", subfolder: "", filename: folder }));
    if (inputs) leftovers.push(await engine.holdInputs(inputs, signal));
    const run = await engine.run(graph, options);
    clock.lap("running");
    return { engine, run };
  } finally {
    turn.end();
  }
}

/** Pictures are large: what is made here is made one request at a time, as ComfyUI does. */
async function makeInTurn(
  make: NonNullable<Request["make"]>,
  { turns, signal, clock, onStart }: { turns: Permit; signal: AbortSignal; clock: StageClock; onStart(): void },
): Promise<Made> {
  const release = await turns.acquire(signal);
  clock.lap("queued");
  onStart();
  try {
    return await make(signal);
  } finally {
    clock.lap("running");
    release();
  }
}

/** Model files come and go: a name is looked up in fresh lists before it is refused. */
async function buildRequest(request: Request, inventory: Inventory): Promise<BuiltGraph | Made> {
  try {
    return await request.build(inventory);
  } catch (error) {
    if (!(error instanceof EndpointError && error.code === "unknown_model")) throw error;
    await inventory.catalogue.reload();
    return await request.build({ ...inventory, isFresh: true });
  }
}

/** Reads and encodes what the prompt produced, in parallel. */
async function encodeAll(
  { files, texts }: Collected,
  engine: Engine,
  { convert }: Delivery,
  { retouch, compose }: BuiltGraph,
): Promise<Artifact[]> {
  const pictures = await Promise.all(files.map(({ reference }) => engine.read(reference)));
  const read = files.map(async (file, index) => ({
    file,
    bytes: retouch ? await retouch(pictures, index) : pictures[index]!,
  }));
  const produced = compose ? await composed(await Promise.all(read), compose) : read;
  const encoded = produced.map(async (picture) => {
    const { file, bytes } = await picture;
    return encodeFile(file, bytes, convert);
  });
  const artifacts = [...(await Promise.all(encoded)), ...texts.map(encodeText)];
  // Only now, since two pictures may have become equal in name by their new format.
  const names = uniqueNames(artifacts.map(({ name }) => name));
  return artifacts.map((artifact, index) => ({ ...artifact, name: names[index]! }));
}

interface ReadFile {
  file: ProducedFile;
  bytes: Buffer;
}

/** A picture that was added has the name of its place. */
async function composed(read: readonly ReadFile[], compose: NonNullable<BuiltGraph["compose"]>): Promise<ReadFile[]> {
  const pictures = await compose(read.map(({ bytes }) => bytes));
  return pictures.map((bytes, index) => {
    const own = read.find((other) => other.bytes === bytes);
    return own ?? { file: { ...read[0]!.file, name: `composed_${index}.png` }, bytes };
  });
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
