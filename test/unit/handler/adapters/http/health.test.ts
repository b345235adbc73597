import { expect, test } from "vitest";
import { ANSWERS, conditionOf } from "../../../../../handler/adapters/http/health.ts";
import type { EngineState } from "../../../../../runtime/engine-state.ts";

/** Rows of the contract: what each condition answers to `/health`, `/ready`, `/ping` and `/health-check`. */
const CONTRACT: [state: EngineState, hasServed: boolean, live: number, ready: number, ping: number, cog: string][] = [
  ["starting", false, 200, 503, 204, "STARTING"],
  ["warming", false, 200, 503, 204, "STARTING"],
  ["ready", true, 200, 200, 200, "READY"],
  ["busy", true, 200, 200, 200, "BUSY"],
  ["draining", true, 200, 503, 503, "BUSY"],
  ["draining", false, 200, 503, 503, "BUSY"],
  ["stopped", true, 200, 503, 503, "BUSY"],
  ["restarting", true, 200, 503, 503, "UNHEALTHY"],
  ["starting", true, 200, 503, 503, "UNHEALTHY"],
  ["warming", true, 200, 503, 503, "UNHEALTHY"],
  ["failed", false, 503, 503, 503, "DEFUNCT"],
  ["defunct", true, 503, 503, 503, "DEFUNCT"],
];

test.each(CONTRACT)(
  "an engine that is %s (served before: %s) is told as the contract says",
  (state, hasServed, ...row) => {
    const { live, ready, ping, cog } = ANSWERS[conditionOf(state, hasServed)];
    expect([live, ready, ping, cog]).toEqual(row);
  },
);
