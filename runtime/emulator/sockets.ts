/** The websocket side: who gets which message. Broadcast when there is no client id; dropped when the client is not connected. */
import { randomUUID } from "node:crypto";
import type { WebSocket } from "ws";
import type { Faults } from "./faults/index.ts";
import { log } from "./log.ts";
import { dumps, loads } from "./python.ts";

/** First u32 of a binary frame. */
export const FRAME = { preview: 1, previewWithMetadata: 4 } as const;

interface Greeting {
  status(): unknown;
  features: unknown;
  /** The node that this client's own running prompt is at. */
  currentNode(sid: string): string | null;
}

export class Sockets {
  readonly #sockets = new Map<string, WebSocket>();
  readonly #features = new Map<string, Record<string, unknown>>();
  readonly #greeting: Greeting;
  readonly #faults: Faults;

  constructor(greeting: Greeting, faults: Faults) {
    this.#greeting = greeting;
    this.#faults = faults;
  }

  /** Registers a connection. A second one with the same id takes over; the first stays open and gets nothing. */
  connect(socket: WebSocket, clientId: string): void {
    const sid = clientId === "" ? randomUUID().replaceAll("-", "") : clientId;
    this.#faults.onConnect(socket);
    this.#sockets.set(sid, socket);
    this.#features.set(sid, {});
    let isFirst = true;
    socket.on("message", (data, isBinary) => {
      if (isBinary) return;
      this.#read(sid, String(data), isFirst);
      isFirst = false;
    });
    socket.on("error", (error) => log.warning(`ws connection closed with exception ${error.message}`));
    // ComfyUI's own bug: the id is forgotten even when a newer connection has taken it, which leaves that one deaf.
    socket.on("close", () => {
      this.#sockets.delete(sid);
      this.#features.delete(sid);
    });
    this.send("status", { status: this.#greeting.status(), sid }, sid);
    const node = this.#greeting.currentNode(sid);
    if (node !== null) this.send("executing", { node }, sid);
  }

  /** @param sid null sends to everyone */
  send(type: string, data: unknown, sid: string | null): void {
    this.#deliver(dumps({ type, data }), sid);
  }

  sendFrame(event: number, payload: Buffer, sid: string | null): void {
    this.#deliver(Buffer.concat([u32(event), payload]), sid);
  }

  hasFeature(sid: string | null, feature: string): boolean {
    return sid !== null && this.#features.get(sid)?.[feature] === true;
  }

  #deliver(message: string | Buffer, sid: string | null): void {
    const receivers = sid === null ? [...this.#sockets.values()] : [this.#sockets.get(sid)];
    for (const socket of receivers)
      if (socket?.readyState === socket?.OPEN && socket !== undefined) this.#faults.deliver(socket, message);
  }

  #read(sid: string, text: string, isFirst: boolean): void {
    let message: { type?: unknown; data?: Record<string, unknown> };
    try {
      message = loads(text) as typeof message;
    } catch {
      log.warning(`Invalid JSON received from client ${sid}: ${text}`);
      return;
    }
    if (!isFirst || message?.type !== "feature_flags") return;
    this.#features.set(sid, message.data ?? {});
    this.send("feature_flags", this.#greeting.features, sid);
  }
}

/** Big-endian, as every integer of ComfyUI's frames. */
export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
