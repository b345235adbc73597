/** Reads the payloads that messages point to, from buckets that may be read. */
import * as z from "zod";
import { EndpointError } from "../../../runtime/errors.ts";
import type { Config } from "../../config.ts";
import type { Results } from "../../outputs/results.ts";
import type { ObjectStore } from "../../outputs/s3.ts";
import type { Setting } from "../../settings.ts";
import type { ReadObject } from "./message.ts";

/** For the table of every adapter whose messages may point to S3. */
export const PAYLOAD_BUCKETS = {
  S3_PAYLOAD_BUCKETS: {
    schema: z
      .string()
      .default("")
      .transform((value) => value.split(/[\s,]+/).filter(Boolean)),
    description:
      "buckets, besides `S3_BUCKET`, whose objects a message may point to as its payload, separated by commas",
  },
} as const satisfies Record<string, Setting>;

export interface PayloadSource {
  /** Named by the operator; S3_BUCKET is always among them. */
  buckets: readonly string[];
  results: Results | undefined;
  openStore: () => Promise<ObjectStore>;
  config: Pick<Config, "MAX_BODY_SIZE_MB">;
}

/**
 * A reader of payloads; that this program wrote something itself is no event, lest its own outputs call it for ever.
 * Throws EndpointError `invalid_request` for another bucket or a missing object, `payload_too_large`, `download_failed`.
 */
export function payloadReader({ buckets, results, openStore, config }: PayloadSource, signal: AbortSignal): ReadObject {
  const maxBytes = config.MAX_BODY_SIZE_MB * 1e6;
  return async ({ bucket, key, isEvent }) => {
    if (isEvent && results?.isOwn(bucket, key)) return undefined;
    if (bucket !== results?.bucket && !buckets.includes(bucket))
      throw new EndpointError(
        "invalid_request",
        `payloads are not read from the bucket ${bucket}; its operator would list it in S3_PAYLOAD_BUCKETS`,
      );
    const bytes = await (await openStore()).get(bucket, key, { maxBytes, signal });
    if (bytes) return bytes.toString();
    throw new EndpointError("invalid_request", `there is no ${key} in the bucket ${bucket}`);
  };
}
