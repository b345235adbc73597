/** The HTTP face's listener; what it answers is in `routes.ts`. */
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import type { Logger } from "pino";
import type { Config } from "../../config.ts";
import type { Adapter, Intake } from "../adapter.ts";
import { healthRoutes } from "./health.ts";
import { workRoutes } from "./routes.ts";

const SWEEP_MS = 50;
/** Longer than load balancers keep idle connections (60 s), or they would send into one that is being closed. */
const KEEP_ALIVE_MS = 75_000;

/** Listens at once, also while the engine starts: health is answered, and work waits. */
export const http: Adapter = {
  async start(context) {
    return listen(workRoutes(context), context.config, context.log);
  },
};

/** Health alone, for platforms that bring their work in another way. */
export const probes: Adapter = {
  async start({ endpoint, config, log }) {
    return listen(new Hono().route("/", healthRoutes(endpoint.engine.supervisor, config)), config, log);
  },
};

async function listen(app: Hono, config: Config, log: Logger): Promise<Intake> {
  const server = await bind(app, config);
  const { address, port, family } = server.address() as AddressInfo;
  const url = `http://${family === "IPv6" ? `[${address}]` : address}:${port}`;
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

function bind(app: Hono, { HOST: hostname, PORT: port }: Config): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = serve({ fetch: app.fetch, hostname, port }, () => resolve(server)) as Server;
    server.once("error", reject);
    server.keepAliveTimeout = KEEP_ALIVE_MS;
  });
}
