/** Health over HTTP beside a platform that brings its work in another way. */
import { Hono } from "hono";
import type { Adapter } from "../adapter.ts";
import { healthRoutes } from "./health.ts";
import { listen } from "./listen.ts";

export const probes: Adapter = {
  async start({ endpoint, config, log }) {
    return listen(new Hono().route("/", healthRoutes(endpoint.engines, config)), config, log);
  },
};
