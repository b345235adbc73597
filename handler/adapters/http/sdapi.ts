/** A1111's routes. */
import { type Context, Hono } from "hono";
import { type EndpointError, toEndpointError } from "../../../runtime/errors.ts";
import type { Activity, Endpoint } from "../../endpoint.ts";
import type { BodyReader } from "./body.ts";
import { errorHeaders } from "./errors.ts";
import { invokeFromHttp } from "./invoke.ts";
import { sdapiImages } from "./sdapi-images.ts";

const TXT2IMG = "sdapi/txt2img";

export function sdapiRoutes(endpoint: Endpoint, bodies: BodyReader): Hono {
  const routes = new Hono();
  routes.onError((error, context) => respond(context, toEndpointError(error)));
  routes.post("/txt2img", async (context) => {
    const result = await invokeFromHttp(context, endpoint, bodies, TXT2IMG);
    return result.status === "failed" ? respond(context, result.error) : context.json(result.body as object);
  });
  routes.get("/progress", (context) => context.json(progressOf(endpoint.activity(TXT2IMG))));
  routes.route("/", sdapiImages(bodies));
  return routes;
}

/** A1111's two error shapes: FastAPI's list for a field at fault, its own four keys for the rest. */
function respond(context: Context, error: EndpointError): Response {
  const { status, headers } = errorHeaders(error);
  const issues = error.details?.["issues"] as { field: string; message: string }[] | undefined;
  if (error.code === "invalid_request" && issues) {
    const detail = issues.map(({ field, message }) => ({
      loc: ["body", ...field.split(".").filter(Boolean)],
      msg: message,
      type: "value_error",
    }));
    return context.json({ detail }, status, headers);
  }
  const body = { error: error.code, detail: error.message, body: error.details ?? "", errors: "" };
  return context.json(body, status, headers);
}

/** A1111's `progress`, modules/api/api.py: idle is all zeros. */
function progressOf(activity: Activity | undefined) {
  const progress = activity?.progress;
  const fraction = progress ? Math.min(1, 0.01 + progress.value / progress.max) : 0;
  const elapsedSeconds = activity ? (Date.now() - activity.startedAt) / 1000 : 0;
  return {
    progress: fraction,
    eta_relative: fraction === 0 ? 0 : elapsedSeconds / fraction - elapsedSeconds,
    state: {
      skipped: false,
      interrupted: false,
      stopping_generation: false,
      job: activity ? "scripts_txt2img" : "",
      job_count: activity ? 1 : 0,
      job_timestamp: activity ? new Date(activity.startedAt).toISOString().replace(/\D/g, "").slice(0, 14) : "0",
      job_no: 0,
      sampling_step: progress?.value ?? 0,
      sampling_steps: progress?.max ?? 0,
    },
    current_image: null,
    textinfo: null,
  };
}
