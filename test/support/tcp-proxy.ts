/** A proxy between the product and a service that breaks long connections, websockets first of all, in the ways that networks do. */

import type { AddressInfo } from "node:net";
import { connect, createServer, type Socket } from "node:net";
import { onTestFinished } from "vitest";

export interface EngineProxy {
  url: string;
  /** Websockets stay open, and nothing passes any more, in either direction: also for new ones until `mend`. */
  mute(): void;
  /** Websockets are cut; new ones pass. */
  cut(): void;
  mend(): void;
  /** What the engine says on those connections comes so much later from now on. */
  delay(ms: number): void;
}

/**
 * @param engineUrl `http://host:port` of the engine. Plain HTTP always passes.
 * @param start bytes by which the client of a connection to break begins.
 */
export async function startProxy(engineUrl: string, start = "GET /ws"): Promise<EngineProxy> {
  const { hostname, port } = new URL(engineUrl);
  const websockets = new Set<Socket>();
  const sockets = new Set<Socket>();
  let isMute = false;
  let delayMs = 0;

  const server = createServer((client) => {
    const engine = connect(Number(port), hostname);
    for (const [from, to] of [
      [client, engine],
      [engine, client],
    ] as const) {
      sockets.add(from);
      from.on("data", (chunk: Buffer) => {
        if (from === client && chunk.subarray(0, 8).toString().startsWith(start)) websockets.add(client);
        if (!websockets.has(client)) to.write(chunk);
        else if (from === engine && delayMs > 0) setTimeout(() => to.write(chunk), delayMs);
        else if (!isMute) to.write(chunk);
      });
      from.on("error", () => {});
      from.on("close", () => {
        sockets.delete(from);
        websockets.delete(client);
        to.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    mute() {
      isMute = true;
    },
    cut() {
      for (const socket of websockets) socket.destroy();
    },
    mend() {
      isMute = false;
    },
    delay(ms) {
      delayMs = ms;
    },
  };
}
