/** What an SQS message carries: a payload as it is, or in the wrappings of those who passed it on. */
import { EndpointError } from "../../../runtime/errors.ts";
import { parseJson } from "../../../runtime/json.ts";

export interface S3Place {
  bucket: string;
  key: string;
  /** Nobody asked for it by name: it was written, and that was told. */
  isEvent: boolean;
}

type Fields = Record<string, unknown>;
/** `undefined`: nothing to do. */
export type ReadObject = (place: S3Place) => Promise<string | undefined>;

const MAX_WRAPPINGS = 4;
/** The extended client's, of now and of before. */
const POINTER_CLASSES = [
  "software.amazon.payloadoffloading.PayloadS3Pointer",
  "com.amazon.sqs.javamessaging.MessageS3Pointer",
];

/**
 * The payloads of a message: none for a test event, several for a notification of several objects.
 * Taken off are S3 pointers of the extended client, SNS and EventBridge envelopes, S3 notifications, and CloudEvents.
 * @param read fetches what a pointer or a notification names.
 * @throws EndpointError `invalid_json`, `invalid_request`, and what `read` throws.
 */
export async function unwrapMessage(body: string, read: ReadObject): Promise<unknown[]> {
  return unwrapText(body, read, 0);
}

async function unwrapText(text: string, read: ReadObject, depth: number): Promise<unknown[]> {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (cause) {
    throw new EndpointError("invalid_json", `the message is not JSON: ${(cause as Error).message}`, { cause });
  }
  return unwrap(value, read, depth);
}

async function unwrap(value: unknown, read: ReadObject, depth: number): Promise<unknown[]> {
  const content = openWrapping(value);
  if (!content) return [value];
  if (depth === MAX_WRAPPINGS)
    throw new EndpointError("invalid_request", `the payload is wrapped more than ${MAX_WRAPPINGS} times`);
  if ("value" in content) return unwrap(content.value, read, depth + 1);
  if ("text" in content) return unwrapText(content.text, read, depth + 1);
  const payloads: unknown[] = [];
  for (const place of content.places) {
    const text = await read(place);
    if (text !== undefined) payloads.push(...(await unwrapText(text, read, depth + 1)));
  }
  return payloads;
}

type Content = { value: unknown } | { text: string } | { places: S3Place[] };

/** What is in the outermost wrapping; undefined when there is none. */
function openWrapping(value: unknown): Content | undefined {
  if (Array.isArray(value)) return openPointer(value);
  if (!isObject(value)) return undefined;
  const { Type: type, Message: message, Records: records } = value;
  if (type === "Notification" && typeof message === "string") return { text: message };
  if ("detail-type" in value && isObject(value["detail"])) return openEventBridge(value as Fields & { detail: Fields });
  if (value["Event"] === "s3:TestEvent") return { places: [] };
  if (Array.isArray(records) && records.every(isS3Record)) return { places: records.flatMap(placeOfRecord) };
  if (typeof value["specversion"] === "string") return openCloudEvent(value);
  return undefined;
}

function openPointer([className, pointer]: unknown[]): Content | undefined {
  if (!POINTER_CLASSES.includes(className as string) || !isObject(pointer)) return undefined;
  return { places: [placeOf(pointer["s3BucketName"], pointer["s3Key"], false)] };
}

/** S3's own events name their object as it is, which its notifications do not. */
function openEventBridge({ source, detail, ...event }: Fields & { detail: Fields }): Content {
  if (source !== "aws.s3" || !isObject(detail["object"])) return { value: detail };
  if (event["detail-type"] !== "Object Created") return { places: [] };
  const { bucket, object } = detail;
  return { places: [placeOf((bucket as Fields | undefined)?.["name"], object["key"], true)] };
}

interface S3Record {
  eventName?: string;
  s3: { bucket?: { name?: unknown }; object?: { key?: unknown } };
}

const isS3Record = (record: unknown): record is S3Record =>
  isObject(record) && record["eventSource"] === "aws:s3" && isObject(record["s3"]);

/** A removal is no work. */
function placeOfRecord({ eventName = "", s3: { bucket, object } }: S3Record): S3Place[] {
  if (!eventName.replace(/^s3:/, "").startsWith("ObjectCreated")) return [];
  const place = placeOf(bucket?.name, object?.key, true);
  return [{ ...place, key: decodeKey(place.key) }];
}

/** In a notification a blank is `+`, and what is left is percent-encoded. */
function decodeKey(key: string): string {
  try {
    return decodeURIComponent(key.replaceAll("+", " "));
  } catch {
    throw new EndpointError("invalid_request", `the object's key is not URL-encoded: ${key}`);
  }
}

function openCloudEvent({ data, data_base64: base64 }: Fields): Content | undefined {
  if (typeof base64 === "string") return { text: Buffer.from(base64, "base64").toString() };
  if (typeof data === "string") return { text: data };
  return data === undefined ? undefined : { value: data };
}

function placeOf(bucket: unknown, key: unknown, isEvent: boolean): S3Place {
  if (typeof bucket === "string" && typeof key === "string") return { bucket, key, isEvent };
  throw new EndpointError("invalid_request", "the message points to an object of S3 without naming bucket and key");
}

const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);
