/** Every route of the HTTP face: health, then who may call, then the dialects'. */
import { Hono } from "hono";
import { EndpointError } from "../../../runtime/errors.ts";
import type { Config } from "../../config.ts";
import { Results } from "../../outputs/results.ts";
import type { AdapterContext } from "../adapter.ts";
import { bearerAuth } from "./auth.ts";
import { BodyReader } from "./body.ts";
import { cloudEventRoutes } from "./cloudevents.ts";
import { cogRoutes } from "./cog.ts";
import { comfyuiApiRoutes } from "./comfyui-api.ts";
import { correlation } from "./correlation.ts";
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
import { CONTROLNET_PREFIX, isOfA1111, isSdapiPath, noRoute, SDAPI_PREFIX, withoutSlash } from "./sdapi/route-table.ts";
import { sdapiRoutes } from "./sdapi/routes.ts";

/** Of answers that nobody has fetched yet. */
const MAX_BYTES_KEPT = 256e6;

/** Everything that is answered over HTTP, whoever listens. */
export function workRoutes(context: AdapterContext): Hono {
  const { endpoint, config, openStore, log } = context;
  const app = new Hono();
  app.onError((error, context) =>
    isSdapiPath(context.req.path) ? respondWithSdapiError(context, error) : respondWithError(context, error),
  );
  app.notFound((context) => {
    const { method, path } = context.req;
    if (!isOfA1111(path))
      return respondWithError(context, new EndpointError("not_found", `there is no ${method} ${path}`));
    const redirect = withoutSlash(path);
    return redirect === undefined
      ? respondWithSdapiError(context, noRoute(method, path))
      : context.redirect(redirect + new URL(context.req.url).search, 307);
  });
  app.use("/sdapi/*", processTime);
  app.use(`${CONTROLNET_PREFIX}/*`, processTime);
  app.use(cors(config.CORS_ORIGINS));
  app.use("/sdapi/*", gzipLists);
  app.use(`${CONTROLNET_PREFIX}/*`, gzipLists);
  app.route("/", healthRoutes(context));
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
  app.use(correlation, answerCouriers);
  const { S3_BUCKET: bucket, S3_PREFIX: prefix } = config;
  const face: HttpFace = {
    endpoint,
    bodies: new BodyReader(config.MAX_BODY_SIZE_MB),
    jobs: keptJobs(config),
    results: bucket === undefined ? undefined : new Results(bucket, prefix, openStore),
    log,
  };
  const dialects = [
    comfyuiApiRoutes(face),
    runpodRoutes(face),
    sagemakerRoutes(face, config.SAGEMAKER_ASYNC),
    cogRoutes(face),
    cloudEventRoutes(face),
    pubsubRoutes(face),
    kserveRoutes(face),
  ];
  for (const dialect of dialects) app.route("/", dialect);
  app.route(SDAPI_PREFIX, sdapiRoutes(face));
  app.route(CONTROLNET_PREFIX, controlnetRoutes(endpoint.engines));
  return app;
}

function keptJobs({ MAX_JOBS_KEPT: count, JOB_RETENTION_SECONDS: ageSeconds }: Config): Jobs {
  return new Jobs({ count, ageMs: ageSeconds * 1000, bytes: MAX_BYTES_KEPT });
}
