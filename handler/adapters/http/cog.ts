/** Replicate's cog: predictions, sync and async, idempotent by PUT. `/health-check` is with the other health routes. */
import { randomUUID } from "node:crypto";
import { type Context, Hono } from "hono";
import { EndpointError, toEndpointError } from "../../../runtime/errors.ts";
import type { InvocationResult } from "../../invocation.ts";
import { type FieldIssue, invalidField } from "../../request/field-errors.ts";
import { invocationId } from "../../request/invocation-id.ts";
import { errorHeaders } from "./errors.ts";
import { type HttpFace, invokeFromHttp, type Unwrapped } from "./invoke.ts";
import type { Job } from "./jobs.ts";

export function cogRoutes(face: HttpFace): Hono {
  const predict = async (context: Context, pathId?: string) => {
    const result = await invokeFromHttp(context, face, {
      dialect: "auto",
      unwrap: (body) => readPrediction(body, pathId),
      isOnce: pathId !== undefined,
    });
    if (result.status === "accepted") return context.json({ id: result.id, status: "starting" }, 202);
    if (result.status === "failed" && isRefused(result.error)) return respondWithCogError(context, result.error);
    return context.json(describe(result, face.jobs.get(result.id)));
  };
  const routes = new Hono()
    .post("/predictions", (context) => predict(context))
    .put("/predictions/:id", (context) => predict(context, context.req.param("id")))
    // Not cog's: without webhooks, how an asynchronous prediction is fetched.
    .get("/predictions/:id", (context) => {
      const job = find(face, context);
      return context.json(job.result ? describe(job.result, job) : { id: job.id, status: "processing" });
    })
    .post("/predictions/:id/cancel", (context) => {
      find(face, context).cancel();
      return context.json({});
    });
  routes.onError((error, context) => respondWithCogError(context, error));
  return routes;
}

/** @throws EndpointError `not_found`. */
function find({ jobs }: HttpFace, context: Context): Job {
  const id = context.req.param("id")!;
  const job = jobs.get(id);
  if (job) return job;
  throw new EndpointError("not_found", `there is no prediction ${id}`);
}

/** @throws EndpointError `invalid_request`, `unsupported_feature`. */
function readPrediction(body: unknown, pathId: string | undefined): Unwrapped {
  const { id: bodyId, input, webhook } = (body ?? {}) as Record<string, unknown>;
  if (typeof input !== "object" || input === null) throw invalidField("input", "must be an object");
  if (webhook)
    throw new EndpointError("unsupported_feature", "webhook: not available; fetch the result at /predictions/ID");
  if (pathId !== undefined && bodyId !== undefined && bodyId !== pathId)
    throw invalidField("id", "differs from the id in the path");
  const id = invocationId.safeParse(pathId ?? bodyId ?? randomUUID());
  if (!id.success) throw invalidField("id", id.error.issues[0]!.message);
  return { payload: { input }, id: id.data };
}

/** The prediction did not run: bad input, or no room. What failed while it ran is a prediction with that status. */
const isRefused = ({ httpStatus }: EndpointError) => [400, 401, 404, 409, 413, 422, 429, 503].includes(httpStatus);

function describe(result: InvocationResult, job: Job | undefined) {
  const { id } = job ?? result;
  const times = job?.finishedAt !== undefined && {
    started_at: new Date(job.startedAt).toISOString(),
    completed_at: new Date(job.finishedAt).toISOString(),
    metrics: { predict_time: (job.finishedAt - job.startedAt) / 1000 },
  };
  if (result.status === "succeeded") return { id, status: "succeeded", output: result.body, logs: "", ...times };
  const { code, message } = result.error;
  const status = code === "cancelled" ? "canceled" : "failed";
  return { id, status, output: null, logs: "", error: `${code}: ${message}`, ...times };
}

/** Faults of the input as FastAPI lists them; a worker that is full is 409, where other routes say 429. */
function respondWithCogError(context: Context, thrown: unknown): Response {
  const error = toEndpointError(thrown);
  const { status, headers } = errorHeaders(error);
  const issues = error.details?.["issues"] as FieldIssue[] | undefined;
  const detail = issues?.map(({ field, message }) => ({
    loc: ["body", ...field.split(".").filter(Boolean)],
    msg: message,
    type: "value_error",
  }));
  return context.json({ detail: detail ?? `${error.code}: ${error.message}` }, status === 429 ? 409 : status, headers);
}
