/** The HTTP face: limits, auth; the routes of each dialect are in files of their own. */
import { Hono } from "hono";
import type { Logger } from "pino";
import { EndpointError } from "../../../runtime/errors.ts";
import type { Config } from "../../config.ts";
import type { Endpoint } from "../../endpoint.ts";
import type { Adapter } from "../adapter.ts";
import { bearerAuth } from "./auth.ts";
import { BodyReader } from "./body.ts";
import { comfyuiApiRoutes } from "./comfyui-api.ts";
import { cors } from "./cors.ts";
import { respondWithError } from "./errors.ts";
import { healthRoutes } from "./health.ts";
import { listen } from "./listen.ts";
import { basicAuth } from "./sdapi/auth.ts";
import { controlnetRoutes } from "./sdapi/controlnet.ts";
import { respondWithSdapiError } from "./sdapi/errors.ts";
import { gzipLists, processTime } from "./sdapi/headers.ts";
import { CONTROLNET_PREFIX, isSdapiPath, noRoute, SDAPI_PREFIX, withoutSlash } from "./sdapi/route-table.ts";
import { sdapiRoutes } from "./sdapi/routes.ts";

/** Listens at once, also while the engine starts: health is answered, and work waits. */
export const http: Adapter = {
  async start({ endpoint, config, log }) {
    return listen(workRoutes(endpoint, config, log), config, log);
  },
};

/** Health alone, for platforms that bring their work in another way. */
export const probes: Adapter = {
  async start({ endpoint, config, log }) {
    return listen(new Hono().route("/", healthRoutes(endpoint)), config, log);
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
  app.route("/", healthRoutes(endpoint));
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
  const bodies = new BodyReader(config.MAX_BODY_SIZE_MB);
  app.route("/", comfyuiApiRoutes(endpoint, bodies));
  app.route(SDAPI_PREFIX, sdapiRoutes(endpoint, bodies, log));
  app.route(CONTROLNET_PREFIX, controlnetRoutes(endpoint.engine));
  return app;
}
