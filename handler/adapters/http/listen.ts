/** Listens for HTTP requests, from the start to the last answer. */
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
import type { Hono } from "hono";
import type { Logger } from "pino";
import type { Config } from "../../config.ts";
import type { Intake } from "../adapter.ts";

const SWEEP_MS = 50;
/** Longer than load balancers keep idle connections (60 s), or they would send into one that is being closed. */
const KEEP_ALIVE_MS = 75_000;

/** Resolves when it listens. */
export async function listen(app: Hono, address: Pick<Config, "HOST" | "PORT">, log: Logger): Promise<Intake> {
  const server = await bind(app, address);
  const { address: host, port, family } = server.address() as AddressInfo;
  const url = `http://${family === "IPv6" ? `[${host}]` : host}:${port}`;
  log.info({ url }, `listening on ${url}`);
  return {
    // The endpoint refuses work by itself once it drains; health is answered to the end.
    stop: () => {},
    close: () =>
      new Promise((resolve) => {
        // A connection that carries a last answer is kept alive by its client afterwards.
        const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_MS);
        server.close(() => {
          clearInterval(sweep);
          resolve();
        });
      }),
  };
}

function bind(app: Hono, { HOST: hostname, PORT: port }: Pick<Config, "HOST" | "PORT">): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = serve({ fetch: app.fetch, hostname, port }, () => resolve(server)) as Server;
    server.once("error", reject);
    server.keepAliveTimeout = KEEP_ALIVE_MS;
  });
}
