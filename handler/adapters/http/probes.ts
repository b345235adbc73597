/** Health over HTTP beside a platform that brings its work in another way. */
import { Hono } from "hono";
import type { Adapter } from "../adapter.ts";
import { healthRoutes } from "./health.ts";
import { listen } from "./listen.ts";

export const probes: Adapter = {
  async start(context) {
    return listen(new Hono().route("/", healthRoutes(context)), context.config, context.log);
  },
};
