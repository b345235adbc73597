/** AWS Lambda, with a runtime loop of our own: takes invocations from the Runtime API, answers each, and waits for the next. */
import type { Logger } from "pino";
import * as z from "zod";
import { EndpointError, toEndpointError } from "../../../runtime/errors.ts";
import { readSettings } from "../../config.ts";
import { withLogContext } from "../../log.ts";
import type { Setting } from "../../settings.ts";
import type { Adapter } from "../adapter.ts";
import { PAYLOAD_BUCKETS } from "../messages/payload-buckets.ts";
import { EventHandler } from "./event.ts";
import { RuntimeApi, type RuntimeInvocation } from "./runtime-api.ts";

export const SETTINGS = {
  AWS_LAMBDA_RUNTIME_API: {
    schema: z.string().min(1),
    description: "host and port of the Runtime API; set by Lambda",
  },
  AWS_LAMBDA_MAX_CONCURRENCY: {
    schema: z.coerce.number().int().min(1).default(1),
    description: "invocations that are taken at once; set by Lambda Managed Instances",
  },
  ...PAYLOAD_BUCKETS,
} as const satisfies Record<string, Setting>;

export const lambda: Adapter = {
  async start(context) {
    const { endpoint, config, log } = context;
    const settings = readSettings(SETTINGS, config.environment);
    const api = new RuntimeApi(settings.AWS_LAMBDA_RUNTIME_API, log);
    const stopped = new AbortController();
    const options = { payloadBuckets: settings.S3_PAYLOAD_BUCKETS, stopped: stopped.signal };
    const handler = new EventHandler(context, options);

    const serve = async () => {
      if (!(await isServing())) return;
      await Promise.all(Array.from({ length: settings.AWS_LAMBDA_MAX_CONCURRENCY }, () => poll().catch(leave)));
    };
    /** The time until the first poll is Lambda's init phase, which allows for a slow start; an invocation's time does not. */
    const isServing = async () => {
      try {
        await endpoint.whenServing(stopped.signal);
        return true;
      } catch (error) {
        const reason = toEndpointError(error);
        if (reason.code !== "draining") await api.failInit(reason);
        return false;
      }
    };
    const poll = async () => {
      while (!stopped.signal.aborted) {
        const invocation = await endpoint.whenServing(stopped.signal).then(() => api.next(stopped.signal));
        const { requestId, traceId } = invocation;
        await withLogContext({ requestId, traceId }, () => answer(invocation, { api, handler, log }));
      }
    };

    /** What the other polls have taken is still answered. */
    const leave = (error: unknown) => {
      if (!stopped.signal.aborted) log.fatal({ err: error }, "no more invocations can be taken");
      stopped.abort(new EndpointError("draining", "this worker is shutting down"));
    };

    const ended = serve().catch(leave);
    return {
      stop: () => stopped.abort(new EndpointError("draining", "this worker is shutting down")),
      close: () => ended,
      finished: ended.then(() => 1),
    };
  },
};

/** @throws Error when the Runtime API is lost. */
async function answer(
  { requestId, event, remainingMs: timeoutMs }: RuntimeInvocation,
  { api, handler, log }: { api: RuntimeApi; handler: EventHandler; log: Logger },
): Promise<void> {
  try {
    const result = await handler.handle(event, { requestId, timeoutMs });
    await api.respond(requestId, JSON.stringify(result));
  } catch (error) {
    if (!(error instanceof EndpointError)) log.error({ err: error }, "the invocation failed");
    await api.fail(requestId, toEndpointError(error));
  }
}
