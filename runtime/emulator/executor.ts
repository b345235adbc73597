/** Runs one prompt: nodes in ComfyUI's order, cached results reused, every message as ComfyUI sends it. */
import { isLink } from "../comfyui/graph.ts";
import { type CacheMode, NodeCache, type NodeRun } from "./cache.ts";
import { callOverLists } from "./call.ts";
import { reportFailure } from "./failure.ts";
import type { Faults } from "./faults/index.ts";
import { rejectSocketLiterals, resolveInputs } from "./inputs.ts";
import { log } from "./log.ts";
import { type NodeContext, NodeError } from "./nodes/node.ts";
import { ExecutionOrder } from "./order.ts";
import { InterruptError, ProgressBar } from "./progress.ts";
import type { Installation } from "./prompt.ts";
import { plain } from "./python.ts";
import type { ExecutionResult, QueueItem } from "./queue.ts";
import { Run } from "./run.ts";
import type { Sockets } from "./sockets.ts";

export interface ExecutorOptions extends Installation {
  sockets: Sockets;
  faults: Faults;
  cacheMode: CacheMode;
  stepDelayMs: number;
  /** Whether pictures carry the prompt that made them. */
  writesMetadata: boolean;
  previewMethod: string;
  previewSize: number;
}

/** Classes that send each picture as the frame of a progress step. */
const PICTURE_SENDERS = new Set(["SaveImageWebsocket"]);

export class Executor {
  readonly #options: ExecutorOptions;
  readonly #cache: NodeCache;
  #isInterrupted = false;
  /** The client whose prompt ran last, and the node it is at: what a reconnecting client is told. */
  clientId: string | null = null;
  currentNode: string | null = null;
  /** Class of the node that is running. */
  currentClass: string | undefined;

  constructor(options: ExecutorOptions) {
    this.#options = options;
    this.#cache = new NodeCache(options.nodes, options.cacheMode);
  }

  interrupt(): void {
    this.#isInterrupted = true;
  }

  forgetResults(): void {
    this.#cache.clear();
  }

  /**
   * Runs a prompt to its end; failures of nodes are part of the result.
   * @throws PythonError for the prompts that kill ComfyUI's worker thread
   */
  async execute(item: QueueItem): Promise<ExecutionResult> {
    this.#isInterrupted = false;
    const run = new Run(item, this.#options);
    this.clientId = run.sid;
    run.announce("execution_start", { prompt_id: item.promptId });
    this.#cache.setPrompt(run.prompt, this.#options);
    for (const id of Object.keys(run.prompt)) {
      const cached = this.#cache.get(id);
      if (cached !== undefined) run.results.set(id, cached);
    }
    run.announce("execution_cached", { nodes: [...run.results.keys()], prompt_id: item.promptId });
    const isSuccess = await this.#runNodes(run);
    if (isSuccess) run.announce("execution_success", { prompt_id: item.promptId });
    this.currentNode = null;
    this.currentClass = undefined;
    const meta = Object.keys(run.outputs).map((id) => [
      id,
      { node_id: id, display_node: id, parent_node: null, real_node_id: id },
    ]);
    return {
      outputs: run.outputs,
      status: { status_str: isSuccess ? "success" : "error", completed: isSuccess, messages: run.messages },
      meta: Object.fromEntries(meta),
    };
  }

  async #runNodes(run: Run): Promise<boolean> {
    const isOutput = (classType: string) => this.#options.catalogue.get(classType)?.output_node === true;
    const order = new ExecutionOrder(run.prompt, (id) => run.results.has(id), isOutput);
    for (const id of run.item.outputs) order.add(id);
    for (let id = order.next(); id !== undefined; id = order.next()) {
      const cached = run.results.get(id);
      if (cached !== undefined) this.#resend(run, id, cached);
      else if (!(await this.#runNode(run, id))) return false;
      order.complete(id);
    }
    return true;
  }

  #resend(run: Run, id: string, cached: NodeRun): void {
    if (cached.ui !== undefined) run.outputs[id] = cached.ui;
    run.tell("executed", { node: id, display_node: id, output: cached.ui ?? null });
    run.progress.finish(id);
  }

  /** False when the node failed; the failure is announced. */
  async #runNode(run: Run, id: string): Promise<boolean> {
    const classType = run.prompt[id]!.class_type;
    const values = this.#collectInputs(run, id);
    run.progress.start(id);
    this.currentClass = classType;
    if (run.sid !== null) this.currentNode = id;
    run.tell("executing", { node: id, display_node: id });
    try {
      const result = await this.#callNode(run, id, classType, values);
      if (result.ui !== undefined) {
        run.outputs[id] = result.ui;
        run.tell("executed", { node: id, display_node: id, output: result.ui });
      }
      run.results.set(id, result);
      this.#cache.set(id, result);
    } catch (error) {
      this.#announceFailure(run, id, classType, values, error);
      return false;
    }
    run.progress.finish(id);
    run.executed.push(id);
    return true;
  }

  /** A list of values per declared input: what a link brings, or the literal alone. */
  #collectInputs(run: Run, id: string): Record<string, unknown[]> {
    const { class_type: classType, inputs = {} } = run.prompt[id]!;
    const nodeClass = this.#options.catalogue.get(classType)!;
    const declared = resolveInputs(nodeClass, inputs).inputs;
    const values: Record<string, unknown[]> = {};
    for (const [name, value] of Object.entries(inputs)) {
      if (isLink(value)) values[name] = run.results.get(value[0])?.outputs.at(value[1]) ?? [null];
      else if (declared.has(name)) values[name] = [plain(value)];
    }
    return values;
  }

  async #callNode(run: Run, id: string, classType: string, values: Record<string, unknown[]>): Promise<NodeRun> {
    const { catalogue, nodes, faults } = this.#options;
    const nodeClass = catalogue.get(classType)!;
    this.#throwIfInterrupted();
    await faults.beforeNode(
      classType,
      Object.values(run.prompt).map((node) => node.class_type),
    );
    const given = run.prompt[id]!.inputs ?? {};
    const resolved = resolveInputs(nodeClass, given);
    const missing = resolved.unresolved[0];
    if (missing !== undefined)
      throw new NodeError("TypeError", `${classType}.execute() missing 1 required positional argument: '${missing}'`);
    const node = Object.hasOwn(nodes, classType) ? nodes[classType] : undefined;
    if (node === undefined)
      throw new NodeError(
        "NotImplementedError",
        `the emulator does not run ${classType}; it stands in for ComfyUI without Python`,
      );

    rejectSocketLiterals(resolved, given);
    const context = this.#context(run, id, classType);
    return callOverLists(nodeClass, values, async (inputs) => {
      this.#throwIfInterrupted();
      return node.run(inputs, context);
    });
  }

  #context(run: Run, id: string, classType: string): NodeContext {
    const bar = new ProgressBar(run.progress, id, {
      throwIfInterrupted: () => this.#throwIfInterrupted(),
      stepDelayMs: this.#options.stepDelayMs,
      previewSize: run.previewSize,
      stepsArePictures: PICTURE_SENDERS.has(classType),
    });
    return {
      nodeId: id,
      promptId: run.item.promptId,
      prompt: this.#options.writesMetadata ? (run.prompt as unknown as Record<string, unknown>) : undefined,
      extraPnginfo: run.item.extraData["extra_pnginfo"] as Record<string, unknown> | undefined,
      folders: this.#options.folders,
      stepDelayMs: this.#options.stepDelayMs,
      progress: (value, max, preview) => bar.step(value, max, preview),
      sendImage: (bytes, format) => bar.sendImage(bytes, format),
    };
  }

  #throwIfInterrupted(): void {
    if (!this.#isInterrupted) return;
    this.#isInterrupted = false;
    throw new InterruptError();
  }

  #announceFailure(run: Run, id: string, classType: string, values: Record<string, unknown[]>, error: unknown): void {
    const common = { prompt_id: run.item.promptId, node_id: id, node_type: classType, executed: run.executed };
    if (error instanceof InterruptError) {
      log.info("Processing interrupted");
      run.announce("execution_interrupted", common, true);
      return;
    }
    run.announce("execution_error", {
      ...common,
      ...reportFailure(error, classType, values),
      current_outputs: Object.keys(run.prompt),
    });
  }
}
