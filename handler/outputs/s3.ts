/** Puts outputs and result documents into a bucket, and reads what lies there. The client's own retries are the only ones. */
import type { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import type { PutObjectCommandInput } from "@aws-sdk/client-s3";
import { EndpointError } from "../../runtime/errors.ts";
import type { Config } from "../config.ts";

export interface ObjectStore {
  /** @throws EndpointError `upload_failed` that names the key. */
  put(bucket: string, key: string, bytes: Buffer, contentType: string, signal: AbortSignal): Promise<void>;
  /** Undefined when there is none. @throws EndpointError `download_failed`, `payload_too_large`. */
  get(bucket: string, key: string, options: { maxBytes: number; signal: AbortSignal }): Promise<Buffer | undefined>;
  /** Writes an object unless there is one already; false when there is. @throws EndpointError `upload_failed`. */
  putOnce(bucket: string, key: string, bytes: Buffer, contentType: string, signal: AbortSignal): Promise<boolean>;
  /** A link for reading, good for `seconds`. */
  presign(bucket: string, key: string, seconds: number): Promise<string>;
}

/** Tries of one call, the first included; the SDK backs off between them. */
const MAX_ATTEMPTS = 4;
/** Above this, parts in parallel are faster than one request. */
const MULTIPART_BYTES = 16 * 1024 ** 2;
const CONFLICT_DELAY_MS = 100;
const CONNECT_TIMEOUT_MS = 5_000;
const REQUEST_TIMEOUT_MS = 120_000;

type S3Settings = Pick<
  Config,
  "AWS_ENDPOINT_URL" | "AWS_REGION" | "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" | "AWS_SESSION_TOKEN"
>;

/** Loads the SDK; to be called while ComfyUI starts. */
export async function openObjectStore(settings: S3Settings): Promise<ObjectStore> {
  const { S3Client, PutObjectCommand, GetObjectCommand } = await import("@aws-sdk/client-s3");
  const {
    AWS_ENDPOINT_URL: endpoint,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_SESSION_TOKEN: sessionToken,
  } = settings;
  const client = new S3Client({
    region: settings.AWS_REGION,
    ...(endpoint !== undefined && { endpoint, forcePathStyle: true }),
    ...(accessKeyId &&
      secretAccessKey && { credentials: { accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }) } }),
    maxAttempts: MAX_ATTEMPTS,
    requestChecksumCalculation: "WHEN_REQUIRED",
    requestHandler: { connectionTimeout: CONNECT_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS },
  });

  const failed = (bucket: string, key: string, signal: AbortSignal) => (cause: unknown) => {
    signal.throwIfAborted();
    const { reason, tries, status } = describeFailure(cause);
    const message = `the upload of ${key} to the bucket ${bucket} failed (${reason}, tries: ${tries})`;
    throw new EndpointError("upload_failed", message, { cause, details: { bucket, key, reason, ...status } });
  };

  async function send(object: PutObjectCommandInput & { Body: Buffer }, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (object.Body.length <= MULTIPART_BYTES) {
      await client.send(new PutObjectCommand(object), { abortSignal: signal });
      return;
    }
    const { Upload } = await import("@aws-sdk/lib-storage");
    const parts = new Upload({ client, params: object });
    signal.addEventListener("abort", () => void parts.abort(), { once: true });
    await parts.done();
  }

  return {
    async get(bucket, key, { maxBytes, signal }) {
      signal.throwIfAborted();
      try {
        const command = new GetObjectCommand({ Bucket: bucket, Key: key });
        const { Body: body, ContentLength: bytes = 0 } = await client.send(command, { abortSignal: signal });
        if (bytes <= maxBytes) return Buffer.from(await body!.transformToByteArray());
        (body as Readable).destroy();
        throw new EndpointError("payload_too_large", `${key} has ${bytes} bytes, more than ${maxBytes} are read`);
      } catch (cause) {
        signal.throwIfAborted();
        if (cause instanceof EndpointError) throw cause;
        const { reason, tries, status } = describeFailure(cause);
        if (reason === "NoSuchKey") return undefined;
        const message = `${key} cannot be read from the bucket ${bucket} (${reason}, tries: ${tries})`;
        throw new EndpointError("download_failed", message, { cause, details: { bucket, key, reason, ...status } });
      }
    },

    async put(bucket, key, bytes, contentType, signal) {
      const object = { Bucket: bucket, Key: key, Body: bytes, ContentType: contentType };
      await send(object, signal).catch(failed(bucket, key, signal));
    },

    async putOnce(bucket, key, bytes, contentType, signal) {
      const object = { Bucket: bucket, Key: key, Body: bytes, ContentType: contentType, IfNoneMatch: "*" };
      for (let attempt = 1; ; attempt++) {
        try {
          await send(object, signal);
          return true;
        } catch (error) {
          const { httpStatusCode: status } = (error as SdkError).$metadata ?? {};
          if (status === 412) return false;
          // Another copy is writing at this very moment, and has not won yet: asked again, it is there or it is not.
          if (status === 409 && attempt < MAX_ATTEMPTS) await delay(CONFLICT_DELAY_MS * attempt);
          else return failed(bucket, key, signal)(error);
        }
      }
    },

    async presign(bucket, key, seconds) {
      const { getSignedUrl } = await import("@aws-sdk/s3-request-presigner");
      return getSignedUrl(client, new GetObjectCommand({ Bucket: bucket, Key: key }), { expiresIn: seconds });
    },
  };
}

type SdkError = Error & { $metadata?: { attempts?: number; httpStatusCode?: number } };

function describeFailure(cause: unknown) {
  const { name: reason, $metadata: { attempts: tries = MAX_ATTEMPTS, httpStatusCode: status } = {} } =
    cause as SdkError;
  return { reason, tries, status: status === undefined ? {} : { status } };
}
