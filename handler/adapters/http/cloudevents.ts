/** CloudEvents over HTTP, binary and structured: Knative's brokers and sources, Google's Eventarc. */
import { type Context, Hono } from "hono";
import { EndpointError } from "../../../runtime/errors.ts";
import { parseJson } from "../../../runtime/json.ts";
import { invalidField } from "../../request/field-errors.ts";
import type { HttpFace } from "./invoke.ts";
import { openPubsub } from "./pubsub.ts";
import { decodeJson, invokeFromPush, type Push, type PushedEvent } from "./push.ts";
import { safeId } from "./safe-id.ts";

/** Of the events that answer; a broker may hand them back to us. */
const REPLY_TYPE = "comfy-endpoint.invocation.succeeded";
const PUBSUB_TYPE = "google.cloud.pubsub.topic.v1.messagePublished";
const STORAGE_TYPES = "google.cloud.storage.";

const ATTRIBUTES = ["specversion", "id", "source", "type"] as const;
type Attributes = Record<(typeof ATTRIBUTES)[number], string>;

export function cloudEventRoutes(face: HttpFace): Hono {
  return new Hono().post("/events", async (context) => {
    const contentType = context.req.header("content-type") ?? "";
    if (contentType.startsWith("application/cloudevents-batch"))
      throw new EndpointError("unsupported_feature", "batches of events are not available: send them one by one");
    if (context.req.header("ce-type") === REPLY_TYPE) return context.body(null, 204);
    const push = contentType.startsWith("application/cloudevents") ? structured : binary(context);
    return invokeFromPush(context, face, push, (id, body) => respondWithEvent(context, id, body));
  });
}

const structured: Push = {
  open: (body) => {
    const event = (body ?? {}) as Record<string, unknown>;
    const { data, data_base64: base64 } = event;
    return openEvent(event, () => (typeof base64 === "string" ? decodeJson(base64) : data));
  },
};

/** The event is in the headers; what is wrong with its data will not get better. */
function binary({ req }: Context): Push {
  const attributes = Object.fromEntries(ATTRIBUTES.map((name) => [name, req.header(`ce-${name}`)]));
  return { parse: (text) => text, open: (text) => openEvent(attributes, () => parseData(text as string)) };
}

function parseData(text: string): unknown {
  try {
    return parseJson(text);
  } catch (cause) {
    throw new EndpointError("invalid_json", "the data of the event are not JSON", { cause });
  }
}

/** @throws EndpointError `invalid_request` that names what an event lacks. */
function openEvent(event: Record<string, unknown>, data: () => unknown): PushedEvent {
  for (const name of ATTRIBUTES) {
    if (typeof event[name] !== "string" || event[name] === "")
      throw invalidField(name, "is missing: CloudEvents have it, as a `ce-` header or in the body");
  }
  const { id, source, type } = event as Attributes;
  // Ids are unique within their source.
  return { id: safeId(id, source), read: () => readData(type, data) };
}

/** @throws EndpointError `invalid_json`, `unsupported_feature`. */
function readData(type: string, data: () => unknown): ReturnType<PushedEvent["read"]> {
  if (type === PUBSUB_TYPE) return openPubsub(data()).read();
  if (type.startsWith(STORAGE_TYPES))
    throw new EndpointError("unsupported_feature", "payloads in Cloud Storage cannot be fetched; send them as data");
  return { payload: data() };
}

/** The answer as an event: a broker would take any other body for a failure. */
function respondWithEvent(context: Context, id: string, body: unknown): Response {
  return context.json(body as object, 200, {
    "ce-specversion": "1.0",
    "ce-id": id,
    "ce-source": "comfy-endpoint",
    "ce-type": REPLY_TYPE,
  });
}
