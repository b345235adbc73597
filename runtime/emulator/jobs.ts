/** The jobs view of queue and history (`/api/jobs*`, since 0.6). */
import { type HistoryEntry, type PromptQueue, type QueueItem, toRow } from "./queue.ts";

export const JOB_STATUSES = ["pending", "in_progress", "completed", "failed", "cancelled"] as const;
type JobStatus = (typeof JOB_STATUSES)[number];

interface Job {
  id: string;
  status: JobStatus;
  create_time?: number;
  execution_start_time?: number;
  execution_end_time?: number;
  workflow_id?: string;
  [key: string]: unknown;
}

const PREVIEWABLE_KEYS = new Set(["images", "video", "audio", "3d", "text"]);
const PREVIEWABLE_NAME = /\.(obj|fbx|gltf|glb|usdz|txt|md|json)$/i;

/** True for a UUID in the one spelling that ComfyUI takes as a prompt id. */
export function isJobId(value: unknown): value is string {
  return typeof value === "string" && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(value);
}

export interface JobQuery {
  statuses: readonly string[];
  workflowId: string | undefined;
  sortBy: "created_at" | "execution_duration";
  descending: boolean;
  limit: number | undefined;
  offset: number;
}

/** One page of jobs, and how many there are in all. */
export function listJobs(queue: PromptQueue, query: JobQuery): { jobs: Job[]; total: number } {
  const all = [
    ...(queue.running === undefined ? [] : [queuedJob(queue.running, "in_progress")]),
    ...queue.pending.map((item) => queuedJob(item, "pending")),
    ...[...queue.history].map(([id, entry]) => finishedJob(id, entry)),
  ];
  const durationMs = ({ execution_start_time: start, execution_end_time: end }: Job) =>
    start && end ? end - start : 0;
  const sortKey = (job: Job) => (query.sortBy === "created_at" ? (job.create_time ?? 0) : durationMs(job));
  const chosen = all
    .filter(
      (job) =>
        query.statuses.includes(job.status) && (query.workflowId === undefined || job.workflow_id === query.workflowId),
    )
    .sort((a, b) => (sortKey(a) - sortKey(b)) * (query.descending ? -1 : 1));
  const end = query.limit === undefined ? undefined : query.offset + query.limit;
  return { jobs: chosen.slice(query.offset, end), total: chosen.length };
}

/** One job with its outputs and workflow when it has ended; undefined when unknown. */
export function findJob(queue: PromptQueue, id: string): Job | undefined {
  const entry = queue.history.get(id);
  if (entry !== undefined) {
    const [, , prompt, extra_data] = entry.prompt;
    return {
      ...finishedJob(id, entry),
      outputs: entry.outputs,
      execution_status: entry.status,
      workflow: { prompt, extra_data },
    };
  }
  if (queue.running?.promptId === id) return queuedJob(queue.running, "in_progress");
  const item = queue.pending.find(({ promptId }) => promptId === id);
  return item && queuedJob(item, "pending");
}

function queuedJob(item: QueueItem, status: JobStatus): Job {
  const [priority, id, , extraData] = toRow(item);
  return prune({
    id,
    status,
    priority,
    ...dates(extraData),
    outputs_count: 0,
    previewable_outputs_count: 0,
    workflow_id: workflowId(extraData),
  });
}

function finishedJob(id: string, { prompt, outputs, status }: HistoryEntry): Job {
  const [priority, , , extraData] = prompt;
  const message = (pattern: RegExp) => status.messages.find(([type]) => pattern.test(type))?.[1];
  const failed = message(/^execution_interrupted$/) === undefined ? "failed" : "cancelled";
  const items = Object.entries(outputs).flatMap(([nodeId, node]) =>
    Object.entries(node)
      .filter(([key]) => key !== "animated")
      .flatMap(([mediaType, list]) => list.map((item) => ({ nodeId, mediaType, item }))),
  );
  const files = items.filter((output) => typeof output.item === "object" && output.item !== null) as (Omit<
    (typeof items)[number],
    "item"
  > & {
    item: { filename?: string; type?: string };
  })[];
  const previewable = files.filter(
    ({ mediaType, item }) => PREVIEWABLE_KEYS.has(mediaType) || PREVIEWABLE_NAME.test(item.filename ?? ""),
  );
  const preview = previewable.find(({ item }) => item.type === "output") ?? previewable[0];
  return prune({
    id,
    status: status.status_str === "success" ? "completed" : failed,
    priority,
    ...dates(extraData),
    execution_start_time: message(/^execution_start$/)?.["timestamp"],
    execution_end_time: message(/^execution_(success|error|interrupted)$/)?.["timestamp"],
    execution_error: message(/^execution_error$/),
    outputs_count: files.length,
    previewable_outputs_count: previewable.length,
    preview_output: preview && { ...preview.item, nodeId: preview.nodeId, mediaType: preview.mediaType },
    workflow_id: workflowId(extraData),
  });
}

function dates(extraData: Record<string, unknown>) {
  return { create_time: extraData["create_time"] };
}

/** @throws TypeError when `extra_pnginfo` or its workflow is not an object, which ComfyUI answers with 500 */
function workflowId(extraData: Record<string, unknown>): unknown {
  const info = "extra_pnginfo" in extraData ? extraData["extra_pnginfo"] : {};
  const workflow = "workflow" in (info as object) ? (info as Record<string, unknown>)["workflow"] : {};
  return "id" in (workflow as object) ? (workflow as Record<string, unknown>)["id"] : undefined;
}

function prune(job: Record<string, unknown>): Job {
  return Object.fromEntries(Object.entries(job).filter(([, value]) => value !== undefined && value !== null)) as Job;
}
