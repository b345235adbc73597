/** Google Pub/Sub's push subscriptions. */
import { Hono } from "hono";
import { invalidField } from "../../request/field-errors.ts";
import type { HttpFace } from "./invoke.ts";
import { decodeJson, invokeFromPush, type PushedEvent } from "./push.ts";
import { safeId } from "./safe-id.ts";

export function pubsubRoutes(face: HttpFace): Hono {
  return new Hono().post("/pubsub", (context) =>
    invokeFromPush(context, face, { open: openPubsub }, () => context.body(null, 204)),
  );
}

/**
 * The envelope, also as Eventarc hands it on.
 * @throws EndpointError `invalid_request` when it is none.
 */
export function openPubsub(body: unknown): PushedEvent {
  const { message, deliveryAttempt } = (body ?? {}) as { message?: Record<string, unknown>; deliveryAttempt?: unknown };
  const { messageId, data } = message ?? {};
  if (typeof messageId !== "string") throw invalidField("message.messageId", "is missing: this is no push of Pub/Sub");
  return {
    id: safeId(messageId),
    read: () => ({
      payload: decodeJson(typeof data === "string" ? data : ""),
      ...(typeof deliveryAttempt === "number" && { attempt: deliveryAttempt }),
    }),
  };
}
