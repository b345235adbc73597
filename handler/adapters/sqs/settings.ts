/** The settings of those who work for a queue of SQS, and of who sends to it. */
import * as z from "zod";
import type { Setting } from "../../settings.ts";
import { PAYLOAD_BUCKETS } from "../messages/payload-buckets.ts";
import { LONGEST_LEASE_SECONDS } from "./lease.ts";

export const SETTINGS = {
  SQS_QUEUE_URL: { schema: z.url(), description: "queue that the work comes from; makes this worker one of SQS" },
  SQS_VISIBILITY_SECONDS: {
    schema: z.coerce.number().int().min(2).max(LONGEST_LEASE_SECONDS).default(120),
    description:
      "how long a message stays hidden when its worker is lost; while one works on it, this is extended again and again",
  },
  SQS_RESULT_QUEUE_URL: {
    schema: z.url().optional(),
    description: "queue that gets each result's document; unset: they are in S3 alone",
  },
  AWS_ENDPOINT_URL_SQS: {
    schema: z.url().optional(),
    description: "another service than AWS's for the queues",
    aliases: ["AWS_ENDPOINT_URL"],
  },
  ...PAYLOAD_BUCKETS,
} as const satisfies Record<string, Setting>;
