/** A1111's `GET /progress`, modules/api/api.py: idle is all zeros. */
import type { Context } from "hono";
import type { Activity } from "../../../activity.ts";
import type { Endpoint } from "../../../endpoint.ts";
import { fieldError } from "./errors.ts";

/** Kinds of every invocation that came in A1111's form. */
export const SDAPI_KIND = "sdapi/";

const TRUE = new Set(["1", "on", "t", "true", "y", "yes"]);
const FALSE = new Set(["0", "off", "f", "false", "n", "no"]);

export function respondWithProgress(context: Context, endpoint: Endpoint): Response {
  const asked = context.req.query("skip_current_image")?.toLowerCase() ?? "false";
  if (!TRUE.has(asked) && !FALSE.has(asked)) {
    throw fieldError({
      loc: ["query", "skip_current_image"],
      msg: "value could not be parsed to a boolean",
      type: "type_error.bool",
    });
  }
  if (FALSE.has(asked)) endpoint.wantPreviews();
  const activity = endpoint.activity(SDAPI_KIND);
  const preview = FALSE.has(asked) ? activity?.preview?.toString("base64") : undefined;
  return context.json({ ...progressOf(activity), current_image: preview ?? null, textinfo: null });
}

function progressOf(activity: Activity | undefined) {
  const { value = 0, max = 0 } = activity?.progress ?? {};
  const { jobs = 0, jobsDone = 0 } = activity ?? {};
  const done = jobs === 0 ? 0 : (jobsDone + (max === 0 ? 0 : value / max)) / jobs;
  const fraction = activity ? Math.min(1, 0.01 + done) : 0;
  const elapsedSeconds = activity ? (Date.now() - activity.startedAt) / 1000 : 0;
  return {
    progress: fraction,
    eta_relative: activity ? elapsedSeconds / fraction - elapsedSeconds : 0,
    state: {
      skipped: false,
      interrupted: false,
      stopping_generation: false,
      job: activity ? nameOf(activity) : "",
      // A1111 does not know either before it begins.
      job_count: activity ? jobs || -1 : 0,
      job_timestamp: activity ? new Date(activity.startedAt).toISOString().replace(/\D/g, "").slice(0, 14) : "0",
      job_no: jobsDone,
      sampling_step: value,
      sampling_steps: max,
    },
  };
}

function nameOf({ kind, jobs, jobsDone }: Activity): string {
  if (jobs > 1) return `Batch ${jobsDone + 1} out of ${jobs}`;
  const route = kind.slice(SDAPI_KIND.length);
  return route.startsWith("extra-") ? "extras" : `scripts_${route}`;
}
