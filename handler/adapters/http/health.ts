/** Liveness and readiness, for platforms and for clients of comfyui-api. */
import { Hono } from "hono";
import type { EngineState } from "../../../runtime/engine-state.ts";
import type { Endpoint } from "../../endpoint.ts";
import { version } from "../../version.ts";

const DEAD: ReadonlySet<EngineState> = new Set(["failed", "defunct"]);
const READY: ReadonlySet<EngineState> = new Set(["ready", "busy"]);

export function healthRoutes(endpoint: Endpoint): Hono {
  const { engines } = endpoint;
  const states = () => engines.all.map(({ supervisor }) => supervisor.state);
  return new Hono()
    .get("/health", (context) => {
      const isAlive = !DEAD.has(engines.state);
      return context.json(
        { version, status: isAlive ? "healthy" : "not healthy", state: engines.state, engines: states() },
        isAlive ? 200 : 503,
      );
    })
    .get("/ready", (context) => {
      const isReady = READY.has(engines.state);
      return context.json(
        { version, status: isReady ? "ready" : "not ready", state: engines.state, engines: states() },
        isReady ? 200 : 503,
      );
    });
}
