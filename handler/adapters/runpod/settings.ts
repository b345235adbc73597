/** What RunPod tells its workers by their environment, by the names that it uses. */
import * as z from "zod";
import { flag, type Setting, text } from "../../settings.ts";

const address = z.url({ protocol: /^https?$/ });

/** For the local API. */
export const LOCAL_SETTINGS = {
  RUNPOD_API_HOST: {
    schema: text.optional(),
    description: "address that the local API listens on; default: 127.0.0.1, or any where it serves others",
  },
  RUNPOD_API_PORT: {
    schema: z.coerce.number().int().min(0).max(65_535).default(8000),
    description: "its port; 0 takes any free one",
    aliases: ["RUNPOD_REALTIME_PORT"],
  },
  RUNPOD_ENDPOINT_ID: { schema: text.optional(), description: "the endpoint; part of the realtime route" },
  SERVE_API_LOCALLY: { schema: flag, description: "`true`: the local API is served to other machines" },
} as const satisfies Record<string, Setting>;

export const SETTINGS = {
  RUNPOD_WEBHOOK_GET_JOB: { schema: address, description: "where jobs are taken; `$ID` stands for the worker's id" },
  RUNPOD_WEBHOOK_POST_OUTPUT: {
    schema: address,
    description: "where results go; `$RUNPOD_POD_ID` stands for the worker's id, `$ID` for the job's",
  },
  RUNPOD_WEBHOOK_PING: {
    schema: address.optional(),
    description: "where the worker says that it lives; unset: no pings",
  },
  RUNPOD_PING_INTERVAL: {
    schema: z.coerce.number().int().min(100).max(3_600_000).default(10_000),
    description: "milliseconds between pings",
  },
  RUNPOD_POD_ID: { schema: text.optional(), description: "the worker's id; unset: a random one, and no pings" },
  RUNPOD_AI_API_KEY: {
    schema: text.optional(),
    description: "key of the endpoint, sent as it is; unset: no pings",
    isSecret: true,
  },
  RUNPOD_SDK_VERSION: {
    schema: text.default("1.12.0"),
    description: "version of RunPod's own worker library whose protocol is spoken; every ping names it",
  },
  REFRESH_WORKER: {
    schema: flag,
    description: "`true`: the worker is replaced after every job (`stopPod`)",
  },
  RUNPOD_ANSWER_INTERRUPTED: {
    schema: flag,
    description:
      "`true`: a job that the shutdown's grace was too short for is answered with an error; otherwise it is left to RunPod, which gives it to another worker",
  },
} as const satisfies Record<string, Setting>;
