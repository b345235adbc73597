import { vi } from "vitest";
import { WebSocket } from "ws";
import { describeBody, describeFrame } from "./describe.ts";
import { type Engine, hasTempFolder } from "./engine.ts";
import type { Graph } from "./graphs.ts";
import { parseLenient, stringifyExact } from "./lenient-json.ts";

/** One line of a transcript; the fields beside `dir` depend on it. */
export type TranscriptEvent = { dir: string } & Record<string, unknown>;

export interface Message {
  type: string;
  data: Record<string, unknown>;
}

/** A socket of the recording with what it has received. */
export interface Socket {
  readonly name: string | undefined;
  readonly received: Message[];
  send(message: unknown): void;
  sendText(text: string): void;
  /** Resolves once the server has read everything sent before. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

interface Request {
  body?: unknown;
  /** Sent as it is, in place of `body`. */
  raw?: Uint8Array | string | FormData;
  headers?: Record<string, string>;
}

const KEPT_HEADERS =
  "content-type content-disposition content-length accept-ranges content-range x-content-type-options allow location";
/** A busy machine samples 300 steps in half a minute. */
const WAIT_LIMIT_MS = 50_000;

/** Talks to an engine and writes down what both sides say, in the form of the recorded transcripts. */
export class Recording {
  readonly events: TranscriptEvent[] = [];
  readonly #engine: Engine;
  readonly #sockets: WebSocket[] = [];
  readonly #logStart: number;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#logStart = engine.process?.log().length ?? 0;
  }

  note(text: string): void {
    this.events.push({ dir: "note", text });
  }

  /** Log lines since the recording began. */
  logLines(): string[] {
    return (this.#engine.process?.log() ?? "").slice(this.#logStart).split("\n");
  }

  /** Opens a socket and waits for the greeting. */
  async socket(path: string, name?: string): Promise<Socket> {
    const socket = new WebSocket(this.#engine.url.replace("http", "ws") + path, { perMessageDeflate: false });
    const connection = name ? { conn: name } : {};
    const received: Message[] = [];
    let isClosedByUs = false;
    this.#sockets.push(socket);
    this.events.push({ dir: "ws>", open: path, ...connection });
    // Frames are described asynchronously: the queue keeps the order of arrival.
    let queue = Promise.resolve();
    socket.on("message", (data: Buffer, isBinary) => {
      queue = queue.then(async () => {
        if (isBinary) this.events.push({ dir: "ws<bin", ...(await describeFrame(data)), ...connection });
        else {
          const message = parseLenient(data.toString()) as Message;
          this.events.push({ dir: "ws<", msg: message, ...connection });
          received.push(message);
        }
      });
    });
    socket.on("error", () => {}); // a killed server also closes the socket, which is what counts
    socket.on("close", (code) => {
      if (!isClosedByUs) this.events.push({ dir: "ws<", close: code, ...connection });
    });
    const result: Socket = {
      name,
      received,
      send: (message) => result.sendText(JSON.stringify(message)),
      sendText: (text) => socket.send(text),
      ping: () => {
        const ponged = new Promise<void>((resolve) => socket.once("pong", () => resolve()));
        socket.ping();
        return ponged;
      },
      close: () => {
        isClosedByUs = true;
        const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
        socket.close();
        return closed.then(() => queue);
      },
    };
    await this.until(result, () => true);
    return result;
  }

  /** A socket of the given client that says what previews it understands, as its first message. */
  async client(id: string, flags?: Record<string, unknown>, name?: string): Promise<Socket> {
    const socket = await this.socket(`/ws?clientId=${id}`, name);
    if (flags) {
      socket.send({ type: "feature_flags", data: flags });
      await this.until(socket, (message) => message.type === "feature_flags");
    }
    return socket;
  }

  /** Waits for a message among those received and those to come. */
  async until(socket: Socket, isWanted: (message: Message) => boolean): Promise<void> {
    await vi.waitFor(
      () => {
        if (!socket.received.some(isWanted)) throw new Error(`no such message: ${isWanted}`);
      },
      { timeout: WAIT_LIMIT_MS, interval: 2 },
    );
  }

  /** The one safe end of a prompt. */
  async untilDone(socket: Socket, promptId: string): Promise<void> {
    await this.until(
      socket,
      ({ type, data }) => type === "executing" && data["node"] === null && data["prompt_id"] === promptId,
    );
  }

  async untilSampling(socket: Socket, promptId: string): Promise<void> {
    await this.until(socket, ({ type, data }) => type === "progress" && data["prompt_id"] === promptId);
  }

  /** Two more steps: time in which an action that should do nothing would have shown. */
  async untilFurther(socket: Socket, promptId: string): Promise<void> {
    const value = () =>
      socket.received.findLast((m) => m.type === "progress" && m.data["prompt_id"] === promptId)?.data["value"];
    const before = Number(value());
    await vi.waitFor(
      () => {
        if (Number(value()) < before + 2) throw new Error("no progress");
      },
      { timeout: WAIT_LIMIT_MS, interval: 2 },
    );
  }

  /** Waits for the history entry without recording the polls. */
  async untilInHistory(promptId: string): Promise<void> {
    await vi.waitFor(
      async () => {
        const text = await (await fetch(`${this.#engine.url}/history/${promptId}`)).text();
        if (text === "{}") throw new Error("not in history");
      },
      { timeout: WAIT_LIMIT_MS, interval: 10 },
    );
  }

  async untilLogged(text: string): Promise<void> {
    await vi.waitFor(
      () => {
        if (!this.logLines().some((line) => line.includes(text))) throw new Error(`not logged: ${text}`);
      },
      { timeout: WAIT_LIMIT_MS, interval: 10 },
    );
  }

  async hasInput(name: string): Promise<boolean> {
    return (await fetch(`${this.#engine.url}/view?type=input&filename=${name}`)).ok;
  }

  async http(method: string, path: string, { body, raw, headers = {} }: Request = {}): Promise<void> {
    this.events.push({ dir: "http>", method, path, body });
    const type = body === undefined ? {} : { "content-type": "application/json" };
    const content = body === undefined ? raw : stringifyExact(body);
    try {
      const response = await fetch(this.#engine.url + path, {
        ...{ method, headers: { ...type, ...headers } },
        ...(content === undefined ? {} : { body: content as NonNullable<RequestInit["body"]> }),
      });
      const bytes = Buffer.from(await response.arrayBuffer());
      const kept = [...response.headers].filter(([name]) => KEPT_HEADERS.split(" ").includes(name));
      this.events.push({
        ...{ dir: "http<", status: response.status, headers: Object.fromEntries(kept) },
        body: await describeBody(bytes, response.headers.get("content-type") ?? ""),
      });
    } catch (error) {
      this.events.push({ dir: "http<", error: String(error) });
    }
  }

  /** Puts a file into the output folder, without recording it. */
  async putOutput(name: string, bytes: Uint8Array, subfolder = ""): Promise<void> {
    const form = new FormData();
    for (const [field, value] of Object.entries({ type: "output", overwrite: "true", subfolder }))
      form.set(field, value);
    form.set("image", new Blob([new Uint8Array(bytes)]), name);
    await fetch(`${this.#engine.url}/upload/image`, { method: "POST", body: form });
  }

  get(path: string): Promise<void> {
    return this.http("GET", path);
  }

  post(path: string, body?: unknown): Promise<void> {
    return this.http("POST", path, { body });
  }

  /** Posts a graph; the other fields of the body as they are. */
  prompt(graph: Graph, fields: Record<string, unknown> = {}): Promise<void> {
    return this.post("/prompt", { prompt: graph, ...fields });
  }

  /** Runs one graph on a socket of its own and reads its history. */
  async simple(graph: Graph, { flags, fields, history = true }: SimpleOptions = {}): Promise<string> {
    const clientId = crypto.randomUUID();
    const promptId = crypto.randomUUID();
    const socket = await this.client(clientId, flags);
    await this.prompt(graph, { client_id: clientId, prompt_id: promptId, ...fields });
    await this.untilDone(socket, promptId);
    if (history) await this.get(`/history/${promptId}`);
    return clientId;
  }

  /** Sends a signal and waits for the end of the process and of every socket. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    const engineProcess = this.#engine.process!;
    const closing = this.#sockets.map((socket) => new Promise((resolve) => socket.once("close", resolve)));
    engineProcess.child.kill(signal);
    this.events.push({ dir: "exit", code: await engineProcess.exited });
    await Promise.all(closing);
    this.note(`temp folder left: ${(await hasTempFolder(engineProcess)) ? "True" : "False"}`);
  }

  end(): void {
    for (const socket of this.#sockets) socket.removeAllListeners("close").removeAllListeners("message").close();
  }
}

interface SimpleOptions {
  flags?: Record<string, unknown>;
  /** Further fields of the body of `POST /prompt`. */
  fields?: Record<string, unknown>;
  history?: boolean;
}
