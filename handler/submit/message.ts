/** A payload as the message that a worker finds the same id in. */
import { randomUUID } from "node:crypto";
import { EndpointError } from "../../runtime/errors.ts";
import { unwrapMessage } from "../adapters/messages/message.ts";
import { payloadId } from "../adapters/messages/run-message.ts";
import { isBareGraph } from "../request/envelope-forms.ts";
import { invalidField } from "../request/field-errors.ts";
import { invocationId } from "../request/invocation-id.ts";

export interface NamedMessage {
  id: string;
  text: string;
}

/** SQS takes 1 MiB, but a queue may have been made when that was the most, or for less than is usual. */
const MAX_BODY_BYTES = 256 * 1024;

/**
 * Gives a payload the id that its result will have.
 * @param id in place of its own.
 * @throws EndpointError `invalid_request` for what is no payload, or brings an id that cannot be one.
 */
export async function nameMessage(payload: unknown, id: string | undefined): Promise<NamedMessage> {
  if (!isObject(payload)) throw new EndpointError("invalid_request", "the payload must be a JSON object");
  if (id === undefined && "id" in payload && !isBareGraph(payload)) refuseBadId(payload["id"]);
  const name = id ?? payloadId(payload) ?? randomUUID();
  // A graph has no place for an id.
  const text = JSON.stringify(isBareGraph(payload) ? { prompt: payload, id: name } : { ...payload, id: name });
  const [content] = await unwrapMessage(text, async () => undefined);
  if (payloadId(content) === name) return { id: name, text };
  const message = "the payload is wrapped (by SNS, EventBridge, CloudEvents, a notification of S3); send what is in it";
  throw new EndpointError("invalid_request", message);
}

/** Whether a message has to go through the bucket. */
export function isTooLong({ text }: NamedMessage): boolean {
  return Buffer.byteLength(text) > MAX_BODY_BYTES;
}

/** What stands in a queue for a message that lies in a bucket; as the SQS extended client writes it. */
export function pointerTo(bucket: string, key: string): string {
  return JSON.stringify(["software.amazon.payloadoffloading.PayloadS3Pointer", { s3BucketName: bucket, s3Key: key }]);
}

function refuseBadId(id: unknown): void {
  const { success, error } = invocationId.safeParse(id);
  if (!success) throw invalidField("id", error.issues[0]!.message);
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
