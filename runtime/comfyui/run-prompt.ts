/** Queues one prompt and follows it to its end, whatever the socket, the process or the caller do meanwhile. */
import { setTimeout as sleep } from "node:timers/promises";
import { EndpointError } from "../errors.ts";
import type { EngineLink } from "./engine-link.ts";
import type { Graph } from "./graph.ts";
import { type Progress, PromptRecord, type PromptResult } from "./prompt-record.ts";
import { rejection } from "./rejection.ts";
import type { EngineSocket } from "./socket.ts";

export interface PromptOptions {
  promptId: string;
  /** Its reason is the EndpointError that the caller gets. */
  signal: AbortSignal;
  extraData?: Record<string, unknown>;
  onProgress?(progress: Progress): void;
  /** A JPEG or PNG of the picture as it is so far; only when `extraData.preview_method` asks for it. */
  onPreview?(picture: Buffer): void;
}

export interface RunningPrompt {
  /** Settles as soon as the outcome is known; on abort, as soon as the interrupt is on its way. */
  result: Promise<PromptResult>;
  /** Resolves when the engine no longer works on the prompt. */
  settled: Promise<void>;
}

/** Without a word about the prompt for this long, ComfyUI is asked about it: the socket may be open and deaf. */
const SILENCE_MS = 2_000;
/** How often it is asked while messages are known to be missing. */
const POLL_MS = 250;
/** ComfyUI's event loop stalls while it validates huge graphs or encodes pictures; after this it is taken for dead. */
const UNRESPONSIVE_MS = 30_000;
/** So many checks in a row must agree before a prompt is called lost or a worker dead: history and queue change one after the other. */
const STRIKES = 4;
const SOCKET_WAIT_MS = 5_000;
/** How long the news of a process's end may come after its connections broke. */
const EXIT_NOTICE_MS = 2_000;
/** The server goes on answering 200 for ever without the one thread that runs prompts. */
const WORKER_DEAD = "its worker thread is dead";

/** Starts a prompt on the engine; see comfyui-protocol: done is `executing` with a null node, not `execution_success`. */
export function runPrompt(link: EngineLink, graph: Graph, options: PromptOptions): RunningPrompt {
  const { signal, promptId } = options;
  const prompt = new FollowedPrompt(link, options);
  const ended = prompt.run(graph).finally(() => {
    // After the answer, which must not wait for it.
    setImmediate(() => void link.client.forget(promptId).catch(() => {}));
  });

  const aborted = Promise.withResolvers<never>();
  const onAbort = () => {
    aborted.reject(signal.reason);
    void prompt.stop();
  };
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();

  return {
    result: Promise.race([ended, aborted.promise]).finally(() => signal.removeEventListener("abort", onAbort)),
    settled: ended.then(
      () => {},
      () => {},
    ),
  };
}

class FollowedPrompt {
  readonly #link: EngineLink;
  readonly #options: PromptOptions;
  readonly #record = new PromptRecord();
  readonly #end = Promise.withResolvers<void>();
  /** Handed to ComfyUI, which may still be validating it. */
  #isSubmitted = false;
  /** Taken by ComfyUI: from now on it knows the prompt. */
  #isAccepted = false;
  #isStopping = false;
  /** Whether messages may have been missed, so that only the history is complete. */
  #hasGap = false;
  #heardAt = Date.now();
  #checkedAt = 0;
  #strikes = 0;

  constructor(link: EngineLink, options: PromptOptions) {
    this.#link = link;
    this.#options = options;
  }

  async run(graph: Graph): Promise<PromptResult> {
    const { socket, gone } = this.#link;
    const onGone = () => this.#end.reject(gone.reason);
    gone.addEventListener("abort", onGone, { once: true });
    if (gone.aborted) onGone();
    // Messages can overtake the answer to POST /prompt, so the listener comes first.
    const unsubscribe = socket.subscribe(this.#options.promptId, {
      onMessage: (message) => {
        this.#heardAt = Date.now();
        if (message.type === "progress") this.#reportProgress(message.data);
        if (this.#record.apply(message) && !this.#hasGap) this.#end.resolve();
      },
      onPreview: (picture) => this.#options.onPreview?.(picture),
      onGap: () => {
        this.#hasGap = true;
      },
    });
    const watchdog = setInterval(() => void this.#watch(), POLL_MS);
    try {
      // Not only the end: it can come before the answer that says what else of the graph is invalid.
      await Promise.all([this.#submit(graph), this.#end.promise]);
      return this.#result();
    } finally {
      clearInterval(watchdog);
      unsubscribe();
      gone.removeEventListener("abort", onGone);
    }
  }

  #result(): PromptResult {
    try {
      return this.#record.result();
    } catch (error) {
      // A broken GPU context: the process lives, and would fail every later prompt.
      if (error instanceof EndpointError && error.code === "comfyui_exited") this.#link.condemn(error.message);
      throw error;
    }
  }

  /** Takes the prompt off the queue or interrupts it; a process that does not obey is condemned. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    if (!this.#isSubmitted) return this.#end.reject(this.#options.signal.reason);
    const graceMs = this.#link.interruptGraceMs;
    const late = () => this.#link.condemn(`a prompt did not stop within ${graceMs / 1000} s of its interrupt`);
    const deadline = setTimeout(late, graceMs);
    this.#end.promise.catch(() => {}).finally(() => clearTimeout(deadline));
    await this.#sendStop();
  }

  async #sendStop(): Promise<void> {
    const { promptId } = this.#options;
    const { client } = this.#link;
    // Dequeue first: an interrupt of a prompt that still waits is ignored, and the prompt would run later.
    await client
      .dequeue(promptId)
      .then(() => client.interrupt(promptId))
      .catch(() => {});
  }

  async #submit(graph: Graph): Promise<void> {
    const { client, socket } = this.#link;
    const { promptId, extraData = {}, signal } = this.#options;
    const clientId = await this.#clientId(socket);
    signal.throwIfAborted();
    this.#isSubmitted = true;
    const answer = await client.submit({ prompt: graph, promptId, clientId, extraData }).catch(async (error) => {
      // The connection may have broken after ComfyUI took the prompt.
      const known = await this.#isKnown().catch(() => false);
      if (known) return { accepted: true, nodeErrors: {} };
      // Or because the process is dying: its end says more than the broken connection.
      await Promise.race([this.#end.promise, sleep(EXIT_NOTICE_MS)]);
      throw error;
    });
    this.#heardAt = Date.now();
    const isPartlyInvalid = answer.accepted && Object.keys(answer.nodeErrors).length > 0;
    if (isPartlyInvalid) await this.#sendStop();
    if (!answer.accepted || isPartlyInvalid) throw rejection(answer, graph);
    this.#isAccepted = true;
    if (this.#isStopping) await this.#sendStop();
  }

  /** The socket's client id; without a socket the prompt still runs, and is followed through the history. */
  async #clientId(socket: EngineSocket): Promise<string> {
    const limit = AbortSignal.any([this.#options.signal, this.#link.gone, AbortSignal.timeout(SOCKET_WAIT_MS)]);
    return socket.connected(limit).catch(() => {
      this.#hasGap = true;
      return this.#options.promptId;
    });
  }

  #isChecking = false;
  #unansweredSince: number | undefined;

  async #watch(): Promise<void> {
    const isUrgent = this.#hasGap || this.#isStopping || this.#strikes > 0;
    const isQuiet = Date.now() - Math.max(this.#heardAt, this.#checkedAt) > SILENCE_MS;
    if (!this.#isAccepted || this.#isChecking || !(isUrgent || isQuiet)) return;
    this.#isChecking = true;
    this.#checkedAt = Date.now();
    try {
      await this.#reconcile();
      this.#unansweredSince = undefined;
    } catch {
      this.#unansweredSince ??= Date.now();
      if (Date.now() - this.#unansweredSince > UNRESPONSIVE_MS)
        this.#link.condemn(`no answer for ${UNRESPONSIVE_MS / 1000} s`);
    } finally {
      this.#isChecking = false;
    }
  }

  /** Asks ComfyUI where the prompt stands: finished, running, waiting, or lost. */
  async #reconcile(): Promise<void> {
    const { client, socket } = this.#link;
    const { promptId } = this.#options;
    const entry = await client.history(promptId);
    if (entry) {
      // It ended and the socket, believed healthy, did not say so: it is deaf.
      if (!this.#hasGap && Date.now() - this.#heardAt > SILENCE_MS) socket.reconnect();
      this.#record.applyHistory(entry);
      return this.#end.resolve();
    }
    const { running, pending } = await client.queue();
    if (running.includes(promptId)) {
      this.#strikes = 0;
      if ((await client.isWorkerAlive()) === false) this.#link.condemn(WORKER_DEAD);
      return;
    }
    if (pending.includes(promptId)) {
      this.#strikes = running.length === 0 ? this.#strikes + 1 : 0;
      if (this.#strikes >= STRIKES) this.#link.condemn(WORKER_DEAD);
      return;
    }
    if (++this.#strikes < STRIKES) return;
    if (this.#isStopping) return this.#end.reject(this.#options.signal.reason);
    this.#end.reject(
      new EndpointError(
        "comfyui_exited",
        "ComfyUI no longer knows the prompt; it was restarted or its queue was cleared",
      ),
    );
  }

  async #isKnown(): Promise<boolean> {
    const { client } = this.#link;
    const { promptId } = this.#options;
    const { running, pending } = await client.queue();
    return running.includes(promptId) || pending.includes(promptId) || (await client.history(promptId)) !== undefined;
  }

  #reportProgress(data: Record<string, unknown>): void {
    this.#options.onProgress?.({
      nodeId: String(data["node"]),
      value: Number(data["value"]),
      max: Number(data["max"]),
    });
  }
}
