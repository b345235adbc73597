/** From an HTTP request to an invocation: the caller that goes away cancels it. */
import type { Context } from "hono";
import { EndpointError } from "../../../runtime/errors.ts";
import type { Endpoint } from "../../endpoint.ts";
import type { Dialect, Invocation, InvocationResult } from "../../invocation.ts";
import { invalidField } from "../../request/field-errors.ts";
import { invocationId } from "../../request/invocation-id.ts";
import type { BodyReader } from "./body.ts";

/** What a platform that brings HTTP requests as events hands to the routes (Hono's `env`). */
export interface HttpPlatform {
  invocation?: Pick<Invocation, "source" | "maxAnswerBytes">;
}

/** @throws EndpointError of the header, the body, or of the endpoint's refusal before the body is read. */
export async function invokeFromHttp(
  context: Context,
  endpoint: Endpoint,
  bodies: BodyReader,
  dialect: Dialect,
  parse?: (text: string) => unknown,
): Promise<InvocationResult> {
  if (endpoint.refusal) throw endpoint.refusal;
  const idempotencyKey = context.req.header("idempotency-key");
  const parsedKey = invocationId.optional().safeParse(idempotencyKey);
  if (!parsedKey.success) throw invalidField("Idempotency-Key", parsedKey.error.issues[0]!.message);
  const work = (payload: unknown) =>
    endpoint.invoke({
      source: "http",
      attempt: 1,
      dialect,
      payload,
      signal: clientGone(context.req.raw.signal),
      ...(context.env as HttpPlatform | undefined)?.invocation,
      ...(idempotencyKey !== undefined && { idempotencyKey }),
    });
  return bodies.read(context, work, parse);
}

/** A platform that ends a request says why; a connection that closes does not. */
function clientGone(connection: AbortSignal): AbortSignal {
  const gone = new AbortController();
  const abort = () => {
    const isTold = connection.reason instanceof EndpointError;
    gone.abort(isTold ? connection.reason : new EndpointError("cancelled", "the caller went away"));
  };
  if (connection.aborted) abort();
  else connection.addEventListener("abort", abort, { once: true });
  return gone.signal;
}
