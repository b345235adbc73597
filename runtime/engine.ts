/** The engine as invocations see it: run a graph, read and remove the files that it made. */
import { randomUUID } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { join, normalize, sep } from "node:path";
import type { FileReference } from "./comfyui/client.ts";
import type { Graph } from "./comfyui/graph.ts";
import { modelsOf } from "./comfyui/graph.ts";
import type { PromptResult } from "./comfyui/prompt-record.ts";
import { type PromptOptions, runPrompt } from "./comfyui/run-prompt.ts";
import { EndpointError } from "./errors.ts";
import type { InputFile, InputFolder } from "./input-files.ts";
import type { EnginePlan } from "./launch.ts";
import type { Supervisor } from "./supervisor.ts";

/** A file that was just written is in memory: to this size, reading it takes less time than handing it to a thread. */
const MAX_SYNC_BYTES = 2 * 1024 ** 2;

/** Undefined when it cannot be read. */
async function readNewFile(path: string): Promise<Buffer | undefined> {
  try {
    return statSync(path).size > MAX_SYNC_BYTES ? await readFile(path) : readFileSync(path);
  } catch {
    return undefined;
  }
}

/** The prompt id is the engine's business: a prompt that is tried again has a new one. */
export type RunOptions = Omit<PromptOptions, "promptId"> & {
  /** Called when the prompt is handed to ComfyUI. */
  onStart?(promptId: string): void;
};

/** Reads and removes what a prompt left on disk. */
export interface OutputFiles {
  /** @throws EndpointError `output_missing`. */
  read(file: FileReference): Promise<Buffer>;
  /** Removes it when the disk is ours; never throws. */
  remove(file: FileReference): Promise<void>;
}

export class Engine implements OutputFiles {
  readonly supervisor: Supervisor;
  readonly #plan: EnginePlan;
  readonly #inputs: InputFolder | undefined;
  /** Model files of the last graph: most likely they are in the GPU's memory. */
  loaded: ReadonlySet<string> = new Set();
  /** When its last prompt began, in milliseconds of `performance.now()`. */
  usedAt = 0;
  /** Resolves when no prompt runs. */
  idle: Promise<unknown> = Promise.resolve();

  /** @param inputs ComfyUI's input folder; undefined when its disk is not ours. */
  constructor(plan: EnginePlan, supervisor: Supervisor, inputs: InputFolder | undefined) {
    this.#plan = plan;
    this.supervisor = supervisor;
    this.#inputs = inputs;
    supervisor.machine.onTransition(({ to }) => {
      if (to === "restarting") this.loaded = new Set();
    });
  }

  get url(): string {
    return this.#plan.url;
  }

  get hasOwnDisk(): boolean {
    return this.#plan.kind !== "external";
  }

  /**
   * Runs a graph; for who has its {@link Turn}. After an out-of-memory error the GPU's memory is freed and the graph tried once more.
   * @throws EndpointError with any code of `runtime/`; the signal's reason when it fires.
   */
  async run(graph: Graph, options: RunOptions): Promise<PromptResult> {
    try {
      return await this.#runOnce(graph, options);
    } catch (error) {
      if (!(error instanceof EndpointError) || error.code !== "out_of_memory") throw error;
      await this.idle;
      await this.forgetResults();
      return await this.#runOnce(graph, options);
    }
  }

  /** Unloads the models and drops ComfyUI's cache of node results. */
  async forgetResults(): Promise<void> {
    this.loaded = new Set();
    await this.supervisor.current?.link.client.freeMemory();
  }

  async #runOnce(graph: Graph, { onStart, ...options }: RunOptions): Promise<PromptResult> {
    const { link } = await this.supervisor.whenServing(options.signal);
    this.supervisor.took();
    this.usedAt = performance.now();
    this.loaded = modelsOf(graph);
    const promptId = randomUUID();
    onStart?.(promptId);
    const prompt = runPrompt(link, graph, { ...options, promptId });
    this.idle = prompt.settled.then(() => this.supervisor.released({ finished: !link.gone.aborted }));
    return await prompt.result;
  }

  /**
   * Brings pictures to where ComfyUI's LoadImage finds them.
   * @returns what takes them away again; on an external engine they stay, since it has no way to remove them.
   */
  async holdInputs(files: readonly InputFile[], signal: AbortSignal): Promise<() => Promise<void>> {
    if (this.#inputs) return await this.#inputs.hold(files);
    const { client } = (await this.supervisor.whenServing(signal)).link;
    await Promise.all(files.map((file) => client.upload(file)));
    return async () => {};
  }

  async read(file: FileReference): Promise<Buffer> {
    const path = this.#pathOf(file);
    const bytes = path === undefined ? await this.supervisor.current?.link.client.view(file) : await readNewFile(path);
    if (bytes) return bytes;
    throw new EndpointError("output_missing", `ComfyUI named the output "${file.filename}", but it cannot be read`);
  }

  async remove(file: FileReference): Promise<void> {
    try {
      const path = this.#pathOf(file);
      if (path !== undefined) await rm(path, { force: true, recursive: true });
    } catch {
      // What cannot be removed is no reason to fail; what lies elsewhere is not ours.
    }
  }

  /** Where a file lies; undefined for an external engine. A name that leaves its folder is no output of ours. */
  #pathOf({ filename, subfolder, type }: FileReference): string | undefined {
    const root = this.#plan.folders?.[type];
    if (root === undefined) return undefined;
    const path = normalize(join(root, subfolder, filename));
    if (!path.startsWith(root + sep))
      throw new EndpointError("output_missing", `the output "${filename}" lies outside ComfyUI's ${type} folder`);
    return path;
  }
}
