/** The HTTP face: listener, limits, auth; the routes of each dialect are in files of their own. */
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import type { Logger } from "pino";
import { EndpointError } from "../../../runtime/errors.ts";
import type { Config } from "../../config.ts";
import type { Endpoint } from "../../endpoint.ts";
import type { Adapter, Intake } from "../adapter.ts";
import { bearerAuth } from "./auth.ts";
import { BodyReader } from "./body.ts";
import { cloudEventRoutes } from "./cloudevents.ts";
import { cogRoutes } from "./cog.ts";
import { comfyuiApiRoutes } from "./comfyui-api.ts";
import { cors } from "./cors.ts";
import { answerCouriers } from "./couriers.ts";
import { respondWithError } from "./errors.ts";
import { healthRoutes } from "./health.ts";
import type { HttpFace } from "./invoke.ts";
import { Jobs } from "./jobs.ts";
import { kserveRoutes } from "./kserve.ts";
import { pubsubRoutes } from "./pubsub.ts";
import { runpodRoutes } from "./runpod.ts";
import { sagemakerRoutes } from "./sagemaker.ts";
import { basicAuth } from "./sdapi/auth.ts";
import { controlnetRoutes } from "./sdapi/controlnet.ts";
import { respondWithSdapiError } from "./sdapi/errors.ts";
import { gzipLists, processTime } from "./sdapi/headers.ts";
import { CONTROLNET_PREFIX, isSdapiPath, noRoute, SDAPI_PREFIX, withoutSlash } from "./sdapi/route-table.ts";
import { sdapiRoutes } from "./sdapi/routes.ts";

const SWEEP_MS = 50;
/** Of answers that nobody has fetched yet. */
const MAX_BYTES_KEPT = 256e6;
/** Longer than load balancers keep idle connections (60 s), or they would send into one that is being closed. */
const KEEP_ALIVE_MS = 75_000;

/** Listens at once, also while the engine starts: health is answered, and work waits. */
export const http: Adapter = {
  async start({ endpoint, config, log }) {
    return listen(workRoutes(endpoint, config, log), config, log);
  },
};

/** Health alone, for platforms that bring their work in another way. */
export const probes: Adapter = {
  async start({ endpoint, config, log }) {
    return listen(new Hono().route("/", healthRoutes(endpoint.engine.supervisor, config)), config, log);
  },
};

/** Everything that is answered over HTTP. */
function workRoutes(endpoint: Endpoint, config: Config, log: Logger): Hono {
  const app = new Hono();
  app.onError((error, context) =>
    isSdapiPath(context.req.path) ? respondWithSdapiError(context, error) : respondWithError(context, error),
  );
  app.notFound((context) => {
    const { method, path } = context.req;
    if (!isSdapiPath(path))
      return respondWithError(context, new EndpointError("not_found", `there is no ${method} ${path}`));
    const redirect = withoutSlash(path);
    return redirect === undefined
      ? respondWithSdapiError(context, noRoute(method, path))
      : context.redirect(redirect + new URL(context.req.url).search, 307);
  });
  app.use(cors(config.CORS_ORIGINS));
  app.use("/sdapi/*", processTime, gzipLists);
  app.use(`${CONTROLNET_PREFIX}/*`, processTime, gzipLists);
  app.route("/", healthRoutes(endpoint.engine.supervisor, config));
  const { API_TOKEN: token, SDAPI_AUTH: credentials } = config;
  if (credentials !== undefined) {
    const basic = basicAuth(credentials);
    app.use("/sdapi/*", basic);
    app.use(`${CONTROLNET_PREFIX}/*`, basic);
  }
  if (token !== undefined) {
    const bearer = bearerAuth(token);
    // A1111's clients know no token: where they have passwords, those take its place.
    app.use((context, next) =>
      credentials !== undefined && isSdapiPath(context.req.path) ? next() : bearer(context, next),
    );
  }
  app.use(answerCouriers);
  const face: HttpFace = { endpoint, bodies: new BodyReader(config.MAX_BODY_SIZE_MB), jobs: keptJobs(config) };
  const routes = [
    comfyuiApiRoutes(face),
    runpodRoutes(face),
    sagemakerRoutes(face, config.SAGEMAKER_ASYNC),
    cogRoutes(face),
    cloudEventRoutes({ ...face, log }),
    pubsubRoutes({ ...face, log }),
    kserveRoutes(face),
  ];
  for (const dialect of routes) app.route("/", dialect);
  app.route(SDAPI_PREFIX, sdapiRoutes(face, log));
  app.route(CONTROLNET_PREFIX, controlnetRoutes(endpoint.engine));
  return app;
}

function keptJobs({ MAX_JOBS_KEPT: count, JOB_RETENTION_SECONDS: ageSeconds }: Config): Jobs {
  return new Jobs({ count, ageMs: ageSeconds * 1000, bytes: MAX_BYTES_KEPT });
}

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
