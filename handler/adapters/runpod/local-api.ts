/** RunPod's API on a desk: what its worker library serves by `--rp_serve_api`, and its clients' own addresses. */
import { randomUUID } from "node:crypto";
import { type Context, Hono } from "hono";
import { EndpointError } from "../../../runtime/errors.ts";
import { parseJson } from "../../../runtime/json.ts";
import { readSettings } from "../../config.ts";
import { findJsonMistake } from "../../request/python-json.ts";
import type { Adapter } from "../adapter.ts";
import { bearerAuth } from "../http/auth.ts";
import { BodyReader } from "../http/body.ts";
import { errorHeaders } from "../http/errors.ts";
import { listen } from "../http/listen.ts";
import { LocalJobs, localAnswer } from "./local-jobs.ts";
import { LOCAL_SETTINGS } from "./settings.ts";

export const localApi: Adapter = {
  async start({ endpoint, config, log }) {
    const settings = readSettings(LOCAL_SETTINGS, config.environment);
    const { RUNPOD_ENDPOINT_ID: endpointId, SERVE_API_LOCALLY: isServed, RUNPOD_API_HOST: host } = settings;
    const isRealtime = Number(config.environment["RUNPOD_REALTIME_PORT"]) > 0;
    const jobs = new LocalJobs(endpoint);
    const bodies = new BodyReader(config.MAX_BODY_SIZE_MB);
    const app = new Hono();
    app.onError((error, context) => {
      const problem =
        error instanceof EndpointError ? error : new EndpointError("internal", "an internal error occurred");
      const { status, headers } = errorHeaders(problem);
      return context.json({ detail: problem.details?.["detail"] ?? problem.message }, status, headers);
    });
    app.notFound((context) => {
      const isPost = POST_ROUTES.test(context.req.path);
      return isPost
        ? context.json({ detail: "Method Not Allowed" }, 405, { allow: "POST" })
        : context.json({ detail: "Not Found" }, 404);
    });
    if (config.API_TOKEN !== undefined) app.use(bearerAuth(config.API_TOKEN));
    app.route("/", jobRoutes(jobs, bodies));
    app.route("/v2/:endpoint", jobRoutes(jobs, bodies).route("/", clientRoutes(jobs)));
    if (endpointId !== undefined) app.route(`/${endpointId}`, realtimeRoute(jobs, bodies));
    const address = host ?? (isServed || isRealtime ? "0.0.0.0" : "127.0.0.1");
    return listen(app, { HOST: address, PORT: settings.RUNPOD_API_PORT }, log);
  },
};

const POST_ROUTES = /^(\/v2\/[^/]+)?\/(run|runsync)$/;

/** The verb decides: its library's local API has POST, and forgets what it has answered; RunPod itself has GET. */
function jobRoutes(jobs: LocalJobs, bodies: BodyReader): Hono {
  return new Hono()
    .post("/run", (context) => {
      const add = async (body: unknown) => context.json(jobs.add(readInput(body)));
      return bodies.read(context, add, parser(context));
    })
    .post("/runsync", (context) => {
      const run = async (body: unknown) => {
        const id = `test-${randomUUID()}`;
        return context.json(localAnswer(id, await jobs.run(id, readInput(body), callerGone(context))));
      };
      return bodies.read(context, run, parser(context));
    })
    .post("/status/:id", async (context) => context.json(await jobs.fetch(context.req.param("id"))))
    .get("/status/:id", async (context) => context.json(await jobs.status(context.req.param("id"))))
    .post("/stream/:id", async (context) => context.json(jobs.refuseStream(context.req.param("id"))))
    .get("/stream/:id", async (context) => context.json(await jobs.stream(context.req.param("id"))));
}

/** What only RunPod itself has. */
function clientRoutes(jobs: LocalJobs): Hono {
  return new Hono()
    .post("/cancel/:id", (context) => context.json(jobs.cancel(context.req.param("id"))))
    .post("/purge-queue", (context) => context.json({ removed: jobs.purge(), status: "completed" }))
    .get("/health", (context) => context.json(jobs.health()));
}

/** `{id, input}`, answered with what would be posted to RunPod. */
function realtimeRoute(jobs: LocalJobs, bodies: BodyReader): Hono {
  return new Hono().post("/realtime", (context) => {
    const run = async (body: unknown) => {
      const { id, input } = readFields(body, ["id", "input"]);
      return context.json(await jobs.run(String(id), input, callerGone(context)));
    };
    return bodies.read(context, run, parser(context));
  });
}

function callerGone(context: Context): AbortSignal {
  const gone = new AbortController();
  const { signal } = context.req.raw;
  signal.addEventListener("abort", () => gone.abort(new EndpointError("cancelled", "the caller went away")), {
    once: true,
  });
  return gone.signal;
}

interface Complaint {
  type: string;
  loc: (string | number)[];
  msg: string;
  input: unknown;
  ctx?: Record<string, unknown>;
}

const refuse = (detail: Complaint) =>
  new EndpointError("invalid_request", detail.msg, { details: { detail: [detail] } });

/** As FastAPI reads a body: JSON only where the header says so. */
function parser(context: Context): (text: string) => unknown {
  return (text) => {
    if (!/^application\/([\w.-]+\+)?json\b/i.test(context.req.header("content-type") ?? "")) return text;
    try {
      return parseJson(text);
    } catch (error) {
      const { message, position } = findJsonMistake(text) ?? { message: (error as Error).message, position: 0 };
      throw refuse({
        type: "json_invalid",
        loc: ["body", position],
        msg: "JSON decode error",
        input: {},
        ctx: { error: message },
      });
    }
  };
}

function readInput(body: unknown): unknown {
  const { input, webhook } = readFields(body, ["input"]);
  if (typeof input !== "object" || input === null || Array.isArray(input))
    throw refuse({ type: "dict_type", loc: ["body", "input"], msg: "Input should be a valid dictionary", input });
  if (webhook !== undefined && webhook !== null)
    throw new EndpointError("unsupported_feature", "webhook: the local API calls none; RunPod itself does");
  return input;
}

/** Those that must be there, with the rest. */
function readFields(body: unknown, mandatory: readonly string[]): Record<string, unknown> {
  if (typeof body !== "object" || body === null || Array.isArray(body))
    throw refuse({
      type: "dataclass_type",
      loc: ["body"],
      msg: "Input should be a dictionary or an instance of DefaultRequest",
      input: body,
      ctx: { class_name: "DefaultRequest" },
    });
  const missing = mandatory.find((name) => !(name in body));
  if (missing === undefined) return body as Record<string, unknown>;
  throw refuse({ type: "missing", loc: ["body", missing], msg: "Field required", input: body });
}
