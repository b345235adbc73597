/** Liveness and readiness, for platforms and for clients of comfyui-api. */
import { Hono } from "hono";
import type { EngineState } from "../../../runtime/engine-state.ts";
import type { Endpoint } from "../../endpoint.ts";
import { version } from "../../version.ts";

const DEAD: ReadonlySet<EngineState> = new Set(["failed", "defunct"]);
const READY: ReadonlySet<EngineState> = new Set(["ready", "busy"]);

export function healthRoutes(endpoint: Endpoint): Hono {
  const { supervisor } = endpoint.engine;
  return new Hono()
    .get("/health", (context) => {
      const isAlive = !DEAD.has(supervisor.state);
      return context.json(
        { version, status: isAlive ? "healthy" : "not healthy", state: supervisor.state },
        isAlive ? 200 : 503,
      );
    })
    .get("/ready", (context) => {
      const isReady = READY.has(supervisor.state);
      return context.json(
        { version, status: isReady ? "ready" : "not ready", state: supervisor.state },
        isReady ? 200 : 503,
      );
    });
}
