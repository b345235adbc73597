/** RunPod's own client routes, for its load-balancing endpoints and for its SDK pointed here: `/run`, `/runsync`, `/status`, `/cancel`. */
import { type Context, Hono } from "hono";
import { EndpointError } from "../../../runtime/errors.ts";
import type { InvocationResult } from "../../invocation.ts";
import { encodeWorkerComfyuiError } from "../../outputs/worker-comfyui-response.ts";
import { invalidField } from "../../request/field-errors.ts";
import { isWorkerComfyui } from "../../request/worker-comfyui.ts";
import { respondWithError } from "./errors.ts";
import { type HttpFace, invokeFromHttp, type Unwrapped } from "./invoke.ts";
import type { Job } from "./jobs.ts";

/** How long `/runsync` waits before it leaves the caller with the id, in milliseconds, as RunPod has it. */
const WAIT = { default: 90_000, min: 1_000, max: 300_000 };
/** RunPod's load balancer carries 30 MB each way, and gives a request 330 s. */
const MAX_ANSWER_BYTES = 28e6;

export function runpodRoutes(face: HttpFace): Hono {
  const run = async (context: Context, waitMs: number) => {
    const result = await invokeFromHttp(context, face, {
      dialect: "auto",
      unwrap: readOrder,
      waitMs,
      maxAnswerBytes: MAX_ANSWER_BYTES,
    });
    if (result.status === "accepted") return context.json({ id: result.id, status: "IN_PROGRESS" });
    // Not a result of the job's: another worker may take it.
    const isRefusal = result.status === "failed" && [429, 503].includes(result.error.httpStatus);
    return isRefusal
      ? respondWithError(context, result.error, result.id)
      : context.json(describe(result, face.jobs.get(result.id)));
  };
  const status = (context: Context) => {
    const job = find(face, context);
    return context.json(job.result ? describe(job.result, job) : { id: job.id, status: "IN_PROGRESS" });
  };
  return new Hono()
    .post("/run", (context) => run(context, 0))
    .post("/runsync", (context) => run(context, readWait(context)))
    .get("/status/:id", status)
    .post("/status/:id", status)
    .post("/cancel/:id", async (context) => {
      const job = find(face, context);
      job.cancel();
      return context.json(describe(await job.finished, job));
    });
}

/** @throws EndpointError `not_found`. */
function find({ jobs }: HttpFace, context: Context): Job {
  const id = context.req.param("id")!;
  const job = jobs.get(id);
  if (job) return job;
  throw new EndpointError("not_found", `there is no job ${id} here, or its result is no longer kept`);
}

/** @throws EndpointError `invalid_request`, `unsupported_feature`. */
function readOrder(body: unknown): Unwrapped {
  if (typeof body !== "object" || body === null || !("input" in body))
    throw invalidField("input", "is missing; the body must be an object that holds it");
  const { input, policy, ...rest } = body as Record<string, unknown>;
  for (const name of ["webhook", "s3Config"]) {
    if (rest[name]) throw new EndpointError("unsupported_feature", `${name}: this option is not available`);
  }
  // worker-comfyui's users keep its answers.
  const dialect = isWorkerComfyui(input) ? "worker-comfyui" : "auto";
  return { payload: { input }, dialect, ...readPolicy(policy) };
}

function readPolicy(policy: unknown): { timeoutMs?: number } {
  const { executionTimeout } = (policy ?? {}) as { executionTimeout?: unknown };
  if (executionTimeout === undefined) return {};
  if (typeof executionTimeout !== "number" || executionTimeout <= 0)
    throw invalidField("policy.executionTimeout", "must be a number of milliseconds above 0");
  return { timeoutMs: executionTimeout };
}

function readWait(context: Context): number {
  const wait = context.req.query("wait");
  if (wait === undefined) return WAIT.default;
  if (!/^\d{1,9}$/.test(wait)) throw invalidField("wait", "must be a number of milliseconds");
  return Math.min(Math.max(Number(wait), WAIT.min), WAIT.max);
}

/** As the queue's worker answers it. */
function describe(result: InvocationResult, job: Job | undefined) {
  const { id } = job ?? result;
  if (result.status === "succeeded") return { id, status: "COMPLETED", output: result.body };
  const { code, message, retryable, details } = result.error;
  const status = code === "cancelled" ? "CANCELLED" : code === "deadline_exceeded" ? "TIMED_OUT" : "FAILED";
  if (job?.dialect === "worker-comfyui") {
    const { error, details: lines } = encodeWorkerComfyuiError(result.error);
    return { id, status, error, ...(lines && { output: { details: lines } }) };
  }
  return { id, status, output: { code, retryable, ...(details && { details }) }, error: `${code}: ${message}` };
}
