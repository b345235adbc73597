/** `/api/jobs*`: exists under `/api` only. */
import type { Hono } from "hono";
import type { Executor } from "../executor.ts";
import { findJob, isJobId, JOB_STATUSES, type JobQuery, listJobs } from "../jobs.ts";
import { log } from "../log.ts";
import { repr, typeName } from "../python.ts";
import type { PromptQueue } from "../queue.ts";
import { json, readJson } from "./http.ts";

export function addJobRoutes(app: Hono, queue: PromptQueue, executor: Executor): void {
  const cancel = (id: string): boolean => {
    if (queue.running?.promptId === id) {
      log.info(`Cancelling running prompt ${id}`);
      executor.interrupt();
      return true;
    }
    return queue.delete(id);
  };

  app.get("/api/jobs", (c) => {
    const query = readQuery(c.req.query());
    if (typeof query === "string") return json({ error: query }, 400);
    const { jobs, total } = listJobs(queue, query);
    const pagination = {
      offset: query.offset,
      limit: query.limit ?? null,
      total,
      has_more: query.offset + jobs.length < total,
    };
    return json({ jobs, pagination });
  });

  app.get("/api/jobs/:id", (c) => {
    const job = findJob(queue, c.req.param("id"));
    return job === undefined ? json({ error: "Job not found" }, 404) : json(job);
  });

  app.post("/api/jobs/cancel", async (c) => {
    let body: unknown;
    try {
      body = await readJson(c);
    } catch {
      return json({ error: "Request body must be valid JSON" }, 400);
    }
    const ids = typeName(body) === "dict" ? (body as Record<string, unknown>)["job_ids"] : undefined;
    if (!Array.isArray(ids)) return json({ error: "job_ids must be a list" }, 400);
    const invalid = ids.filter((id) => !isJobId(id)).map((id) => (typeof id === "string" ? id : repr(id)));
    if (invalid.length > 0) return json({ error: "job_ids contains invalid id(s)", invalid_ids: invalid }, 400);
    return json({ cancelled: ids.map(cancel).includes(true) });
  });

  app.post("/api/jobs/:id/cancel", (c) => json({ cancelled: cancel(c.req.param("id")) }));
}

/** The query, or the text of the error in it. */
function readQuery(parameters: Record<string, string>): JobQuery | string {
  const {
    status,
    workflow_id: workflowId,
    sort_by: sortBy = "created_at",
    sort_order: order = "desc",
    limit,
    offset = "0",
  } = parameters;
  const statuses = (status ?? "")
    .split(",")
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== "");
  const unknown = statuses.filter((name) => !(JOB_STATUSES as readonly string[]).includes(name));
  if (unknown.length > 0)
    return `Invalid status value(s): ${unknown.join(", ")}. Valid values: ${JOB_STATUSES.join(", ")}`;
  if (!/^(created_at|execution_duration)$/i.test(sortBy)) return "sort_by must be 'created_at' or 'execution_duration'";
  if (!/^(asc|desc)$/i.test(order)) return "sort_order must be 'asc' or 'desc'";
  if (limit !== undefined && !/^[+-]?\d+$/.test(limit)) return "limit must be an integer";
  if (limit !== undefined && Number(limit) <= 0) return "limit must be a positive integer";
  if (!/^[+-]?\d+$/.test(offset)) return "offset must be an integer";
  return {
    statuses: statuses.length === 0 ? JOB_STATUSES : statuses,
    workflowId: workflowId || undefined,
    sortBy: sortBy.toLowerCase() as JobQuery["sortBy"],
    descending: order.toLowerCase() === "desc",
    limit: limit === undefined ? undefined : Number(limit),
    offset: Math.max(0, Number(offset)),
  };
}
