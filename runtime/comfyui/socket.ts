/** The one websocket per engine process: connects, reconnects, and hands each prompt its own messages. */
import { randomUUID } from "node:crypto";
import { WebSocket } from "ws";
import { parsePythonJson } from "../json.ts";

/** A text message about a prompt, such as `executed` or `progress`. */
export interface EngineMessage {
  type: string;
  data: Record<string, unknown> & { prompt_id: string };
}

export interface PromptListener {
  onMessage(message: EngineMessage): void;
  /** A picture of the prompt that runs, while it runs; which one that is, the frame does not say. */
  onPreview?(picture: Buffer): void;
  /** The connection was lost: messages may have been missed, and those of a prompt sent under the old client id will not come. */
  onGap(): void;
}

export interface EngineSocket {
  /** The client id of the open connection; undefined while there is none. */
  readonly clientId: string | undefined;
  /** Resolves with the client id once connected and greeted; rejects when the signal fires. */
  connected(signal: AbortSignal): Promise<string>;
  /** Listens for one prompt's messages; returns the end of it. */
  subscribe(promptId: string, listener: PromptListener): () => void;
  /** Drops a connection that looks open but is believed deaf; a new one is made. */
  reconnect(): void;
  close(): void;
}

const HANDSHAKE_TIMEOUT_MS = 5_000;
const RECONNECT_MIN_MS = 50;
const RECONNECT_MAX_MS = 2_000;
/** ComfyUI sends no heartbeat, so a half-open connection is only noticed by a ping of ours that stays unanswered. */
const PING_INTERVAL_MS = 10_000;

/** Custom nodes may send anything; what is not an object with `type` and `data` is nobody's message. */
function decodeMessage(text: string): { type: string; data: Record<string, unknown> } | undefined {
  try {
    const message = parsePythonJson(text) as { type?: unknown; data?: unknown } | null;
    if (typeof message?.type !== "string" || typeof message.data !== "object" || message.data === null)
      return undefined;
    return { type: message.type, data: message.data as Record<string, unknown> };
  } catch {
    return undefined;
  }
}

/** Frame type, picture type, picture; as ComfyUI sends it to clients that declare no features. */
const PREVIEW_FRAME = 1;
const PREVIEW_HEADER_BYTES = 8;

function decodePreview(frame: Buffer): Buffer | undefined {
  if (frame.length <= PREVIEW_HEADER_BYTES || frame.readUInt32BE(0) !== PREVIEW_FRAME) return undefined;
  return frame.subarray(PREVIEW_HEADER_BYTES);
}

/** @param baseUrl of the engine, `http://...` or `https://...`, without a trailing slash. */
export function openSocket(baseUrl: string): EngineSocket {
  const url = baseUrl.replace(/^http/, "ws");
  const listeners = new Map<string, PromptListener>();
  let latest: WebSocket;
  let current: { socket: WebSocket; clientId: string } | undefined;
  let greeted = Promise.withResolvers<string>();
  let failures = 0;
  let retry: NodeJS.Timeout | undefined;
  let closed = false;

  function connect(): void {
    // A fresh id for every connection: ComfyUI unregisters an id when its OLD connection ends, which would leave a successor deaf.
    const clientId = randomUUID();
    const socket = new WebSocket(`${url}/ws?clientId=${clientId}`, {
      perMessageDeflate: false, // aiohttp would accept it, and deflate then costs forty times the transfer
      maxPayload: 0,
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    });
    latest = socket;
    let alive = true;
    let wasOpen = false;
    const heartbeat = setInterval(() => {
      if (!alive) return socket.terminate();
      alive = false;
      socket.ping();
    }, PING_INTERVAL_MS);
    heartbeat.unref();

    socket.on("open", () => {
      wasOpen = true;
    });
    socket.on("pong", () => {
      alive = true;
    });
    socket.on("message", (data, isBinary) => {
      alive = true;
      if (isBinary) {
        const picture = decodePreview(data as Buffer);
        if (picture) for (const listener of listeners.values()) listener.onPreview?.(picture);
        return;
      }
      const message = decodeMessage(data.toString());
      if (message === undefined) return;
      if (message.type === "status" && current === undefined) {
        failures = 0;
        current = { socket, clientId };
        greeted.resolve(clientId);
      }
      const promptId = message.data["prompt_id"];
      if (typeof promptId === "string") listeners.get(promptId)?.onMessage(message as EngineMessage);
    });
    socket.on("error", () => {}); // "close" follows and decides
    socket.on("close", () => {
      clearInterval(heartbeat);
      if (current?.socket === socket) {
        current = undefined;
        greeted = Promise.withResolvers<string>();
      }
      if (wasOpen) for (const listener of listeners.values()) listener.onGap();
      if (!closed) retry = setTimeout(connect, Math.min(RECONNECT_MIN_MS * 2 ** failures++, RECONNECT_MAX_MS));
    });
  }

  connect();

  return {
    get clientId() {
      return current?.clientId;
    },
    connected(signal) {
      if (current) return Promise.resolve(current.clientId);
      const aborted = Promise.withResolvers<never>();
      const onAbort = () => aborted.reject(signal.reason);
      signal.addEventListener("abort", onAbort, { once: true });
      if (signal.aborted) onAbort();
      return Promise.race([greeted.promise, aborted.promise]).finally(() =>
        signal.removeEventListener("abort", onAbort),
      );
    },
    subscribe(promptId, listener) {
      listeners.set(promptId, listener);
      return () => listeners.delete(promptId);
    },
    reconnect: () => current?.socket.terminate(),
    close() {
      closed = true;
      clearTimeout(retry);
      latest.terminate();
    },
  };
}
