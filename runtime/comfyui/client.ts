/** ComfyUI's HTTP API, as much of it as running prompts needs. Every call is bounded in time. */
import { basename, dirname } from "node:path";
import { EndpointError } from "../errors.ts";
import type { InputFile } from "../input-files.ts";
import { parsePythonJson } from "../json.ts";
import type { Graph } from "./graph.ts";
import { type Answer, exchange, postForm } from "./http.ts";

export interface Submission {
  prompt: Graph;
  promptId: string;
  clientId: string;
  extraData: Record<string, unknown>;
}

export interface HistoryEntry {
  outputs: Record<string, Record<string, unknown>>;
  status: { status_str: "success" | "error"; messages: [event: string, data: Record<string, unknown>][] };
}

/** One file that a node produced, as ComfyUI names it. */
export interface FileReference {
  filename: string;
  subfolder: string;
  type: "output" | "temp" | "input";
}

export interface SystemStats {
  /** Bytes. */
  system: { comfyui_version?: string; emulator?: boolean; ram_total?: number; ram_free?: number };
  devices: { name: string; type: string; vram_total: number; vram_free: number }[];
}

/** Outcome of `POST /prompt`: `nodeErrors` is non-empty with status 200 too, when only some outputs are valid. */
export interface SubmissionAnswer {
  accepted: boolean;
  error?: { type: string; message: string; details: string; extra_info?: Record<string, unknown> };
  nodeErrors: Record<string, unknown>;
}

export type ComfyClient = ReturnType<typeof createClient>;

const CALL_TIMEOUT_MS = 30_000;

const isOk = (status: number) => status >= 200 && status < 300;

/**
 * A client of one engine.
 * @param baseUrl without a trailing slash.
 * @throws (every method) EndpointError `comfyui_unreachable` when the engine does not answer or answers with a 5xx.
 */
export function createClient(baseUrl: string) {
  async function call(path: string, body?: unknown, timeoutMs = CALL_TIMEOUT_MS): Promise<Answer> {
    const json = body === undefined ? undefined : JSON.stringify(body);
    const answer = await exchange(baseUrl + path, json, timeoutMs).catch((cause) => {
      throw new EndpointError("comfyui_unreachable", `ComfyUI did not answer ${path.split("?")[0]}`, { cause });
    });
    if (answer.status < 500) return answer;
    const message = `ComfyUI answered ${path.split("?")[0]} with status ${answer.status}`;
    throw new EndpointError("comfyui_unreachable", message, { cause: answer.body.toString("utf8", 0, 200) });
  }

  async function json<T>(path: string, body?: unknown, timeoutMs?: number): Promise<T> {
    const answer = await call(path, body, timeoutMs);
    return parsePythonJson(answer.body.toString()) as T;
  }

  return {
    async submit({ prompt, promptId, clientId, extraData }: Submission): Promise<SubmissionAnswer> {
      const body = { prompt, prompt_id: promptId, client_id: clientId, extra_data: extraData };
      const { status, body: text } = await call("/prompt", body, 60_000);
      const answer = parsePythonJson(text.toString()) as {
        error?: SubmissionAnswer["error"];
        node_errors?: SubmissionAnswer["nodeErrors"];
      };
      return {
        accepted: isOk(status),
        nodeErrors: answer.node_errors ?? {},
        ...(answer.error && { error: answer.error }),
      };
    },

    /** The entry of a finished prompt; undefined while it waits or runs, and when it is unknown. */
    async history(promptId: string): Promise<HistoryEntry | undefined> {
      const entries = await json<Record<string, HistoryEntry>>(`/history/${promptId}`);
      return entries[promptId];
    },

    async queue(): Promise<{ running: string[]; pending: string[] }> {
      const queue = await json<Record<"queue_running" | "queue_pending", [number, string][]>>("/queue");
      return { running: queue.queue_running.map(([, id]) => id), pending: queue.queue_pending.map(([, id]) => id) };
    },

    /** Takes a waiting prompt off the queue; ComfyUI answers 200 for unknown ids too. */
    dequeue: (promptId: string) => call("/queue", { delete: [promptId] }),
    /** Interrupts the prompt if it is the one that runs. */
    interrupt: (promptId: string) => call("/interrupt", { prompt_id: promptId }),
    /** Drops a finished prompt from ComfyUI's memory; a history keeps whole graphs. */
    forget: (promptId: string) => call("/history", { delete: [promptId] }),
    /** Asks the worker to unload the models and free the GPU's memory before the next prompt. */
    freeMemory: () => call("/free", { unload_models: true, free_memory: true }),

    /** Whether the thread that runs prompts is alive; undefined where our node folder is not installed. */
    async isWorkerAlive(): Promise<boolean | undefined> {
      const { status, body } = await call("/comfy_endpoint/worker");
      if (!isOk(status)) return undefined;
      const { alive } = JSON.parse(body.toString()) as { alive: boolean | null };
      return alive ?? undefined;
    },

    /** Whether the server answers at all; the cheapest question there is. */
    isServing: () =>
      call("/prompt", undefined, 5_000).then(
        ({ status }) => isOk(status),
        () => false,
      ),
    systemStats: (timeoutMs?: number) => json<SystemStats>("/system_stats", undefined, timeoutMs),
    /** Names of the textual inversions, without extension. */
    embeddings: () => json<string[]>("/embeddings"),
    objectInfo: () => json<Record<string, unknown>>("/object_info", undefined, 120_000),
    /** Model folder names to their places on ComfyUI's machine; empty where this ComfyUI does not tell. */
    async modelFolders(): Promise<Record<string, string[]>> {
      const { status, body } = await call("/internal/folder_paths");
      return isOk(status) ? (JSON.parse(body.toString()) as Record<string, string[]>) : {};
    },

    /** Puts a picture into the input folder, over one of the same name. @throws EndpointError `comfyui_unreachable`. */
    async upload({ name, bytes }: InputFile): Promise<void> {
      const path = "/upload/image";
      const form = new FormData();
      form.set("image", new Blob([new Uint8Array(bytes)], { type: "image/png" }), basename(name));
      form.set("subfolder", dirname(name));
      form.set("overwrite", "true");
      const { status } = await postForm(baseUrl + path, form, 120_000).catch((cause) => {
        throw new EndpointError("comfyui_unreachable", `ComfyUI did not answer ${path}`, { cause });
      });
      if (!isOk(status))
        throw new EndpointError("comfyui_unreachable", `ComfyUI answered ${path} with status ${status}`);
    },

    /** The bytes of an output; undefined when ComfyUI does not find it. */
    async view({ filename, subfolder, type }: FileReference): Promise<Buffer | undefined> {
      const query = new URLSearchParams({ filename, subfolder, type });
      const { status, body } = await call(`/view?${query}`, undefined, 120_000);
      return isOk(status) ? body : undefined;
    },
  };
}
