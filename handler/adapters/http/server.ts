/** The HTTP face: what it answers is in `routes.ts`. */
import { Hono } from "hono";
import type { Adapter } from "../adapter.ts";
import { healthRoutes } from "./health.ts";
import { listen } from "./listen.ts";
import { workRoutes } from "./routes.ts";

/** Listens at once, also while the engine starts: health is answered, and work waits. */
export const http: Adapter = {
  async start(context) {
    return listen(workRoutes(context), context.config, context.log);
  },
};

/** Health alone, for platforms that bring their work in another way. */
export const probes: Adapter = {
  async start({ endpoint, config, log }) {
    return listen(new Hono().route("/", healthRoutes(endpoint.engines, config)), config, log);
  },
};
