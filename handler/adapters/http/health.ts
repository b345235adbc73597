/** Liveness and readiness in the words of each platform; one table says what each hears. Busy is never unhealthy. */
import { type Context, Hono } from "hono";
import type { ContentfulStatusCode, StatusCode } from "hono/utils/http-status";
import type { EngineState } from "../../../runtime/engine-state.ts";
import type { Engines } from "../../../runtime/engines.ts";
import { version } from "../../version.ts";
import type { AdapterContext } from "../adapter.ts";

export type Condition = "starting" | "ready" | "busy" | "draining" | "restarting" | "broken";

interface Answers {
  /** `/health`, `/v2/health/live`. */
  live: ContentfulStatusCode;
  /** `/ready`, `/v2/health/ready`. */
  ready: ContentfulStatusCode;
  /** RunPod takes 204 for "still starts" and anything but 200 and 204 for broken; SageMaker waits for 200. */
  ping: StatusCode;
  /** `/health-check` of Replicate's cog, which is always 200. */
  cog: string;
}

export const ANSWERS: Readonly<Record<Condition, Answers>> = {
  starting: { live: 200, ready: 503, ping: 204, cog: "STARTING" },
  ready: { live: 200, ready: 200, ping: 200, cog: "READY" },
  busy: { live: 200, ready: 200, ping: 200, cog: "BUSY" },
  draining: { live: 200, ready: 503, ping: 503, cog: "BUSY" },
  restarting: { live: 200, ready: 503, ping: 503, cog: "UNHEALTHY" },
  broken: { live: 503, ready: 503, ping: 503, cog: "DEFUNCT" },
};

/** @param hasServed whether this is a later start than the first. */
export function conditionOf(state: EngineState, hasServed: boolean): Condition {
  switch (state) {
    case "starting":
    case "warming":
      return hasServed ? "restarting" : "starting";
    case "stopped":
      return "draining";
    case "failed":
    case "defunct":
      return "broken";
    default:
      return state;
  }
}

const STARTED_AT = new Date(Date.now() - process.uptime() * 1000);

/** None of these asks for the token: it is the right to bring work, which neither a platform's probe nor Prometheus needs. */
export function healthRoutes({
  endpoint,
  config,
  metrics,
}: Pick<AdapterContext, "endpoint" | "config" | "metrics">): Hono {
  const { engines } = endpoint;
  const condition = () => conditionOf(engines.state, engines.firstServedAt !== undefined);
  const readiness = () => {
    const now = condition();
    return now === "busy" && !config.READY_WHEN_BUSY ? 503 : ANSWERS[now].ready;
  };
  const modelReadiness = (context: Context) => {
    const status = readiness();
    return context.json({ name: context.req.param("model"), ready: status === 200 }, status);
  };
  const routes = new Hono();
  if (metrics)
    routes.get("/metrics", async (context) =>
      context.body(await metrics.metrics(), 200, { "content-type": metrics.contentType }),
    );
  return routes
    .get("/health", (context) => {
      const { live } = ANSWERS[condition()];
      const status = live === 200 ? "healthy" : "not healthy";
      return context.json({ version, status, state: engines.state, engines: engines.states }, live);
    })
    .get("/ready", (context) => {
      const status = readiness();
      const word = status === 200 ? "ready" : "not ready";
      return context.json({ version, status: word, state: engines.state, engines: engines.states }, status);
    })
    .get("/ping", (context) => context.body(null, ANSWERS[condition()].ping))
    .get("/health-check", (context) => context.json(cogHealth(condition(), engines)))
    .get("/v2/health/live", (context) => {
      const { live } = ANSWERS[condition()];
      return context.json({ live: live === 200 }, live);
    })
    .get("/v2/health/ready", (context) => {
      const status = readiness();
      return context.json({ ready: status === 200 }, status);
    })
    .get("/v1/models/:model", modelReadiness)
    .get("/v2/models/:model/ready", modelReadiness);
}

function cogHealth(condition: Condition, { firstServedAt, failure }: Engines) {
  const isOver = firstServedAt !== undefined || failure !== undefined;
  return {
    status: ANSWERS[condition].cog,
    setup: {
      started_at: STARTED_AT.toISOString(),
      completed_at: firstServedAt?.toISOString() ?? null,
      status: firstServedAt ? "succeeded" : isOver ? "failed" : "starting",
      logs: failure?.message ?? "",
    },
  };
}
