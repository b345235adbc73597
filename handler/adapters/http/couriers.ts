/** Queues that push work to any route and understand nothing but the status: what their headers say, and what they must hear. */
import type { Context, MiddlewareHandler } from "hono";
import { safeId } from "./safe-id.ts";

export interface Courier {
  id: string;
  /** 1 for the first delivery. */
  attempt: number;
  maxAnswerBytes?: number;
  /** It hangs up at a deadline of its own and comes again with the same id: the work goes on meanwhile. */
  comesAgain?: boolean;
}

/** Salad's sidecar drops answers above 10 MB and sends the job anew, four times in all. */
const SALAD_MAX_BYTES = 9.5e6;

/** Undefined when somebody else brings the request. */
export function courierOf({ req }: Context): Courier | undefined {
  const saladJob = req.header("salad-job-id");
  if (saladJob !== undefined) return { id: safeId(saladJob), attempt: 1, maxAnswerBytes: SALAD_MAX_BYTES };
  const task = req.header("x-cloudtasks-taskname");
  if (task === undefined) return undefined;
  const retries = Number(req.header("x-cloudtasks-taskretrycount") ?? 0);
  return { id: safeId(task), attempt: (Number.isInteger(retries) ? retries : 0) + 1, comesAgain: true };
}

const IS_FINAL = "isFinalFailure";

/** Remembers that trying again cannot help. */
export function markFinal(context: Context): void {
  context.set(IS_FINAL, true);
}

/** A courier takes 4xx or 5xx as "try again", or gives up without the answer: a failure that stands is 200 to it, the error is the body. */
export const answerCouriers: MiddlewareHandler = async (context, next) => {
  await next();
  if (!context.get(IS_FINAL) || courierOf(context) === undefined) return;
  const { body, headers } = context.res;
  context.res = new Response(body, { status: 200, headers });
};
