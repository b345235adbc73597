import type { Message, TranscriptEvent } from "./recording.ts";

/**
 * A transcript reduced to what a client may rely on, so that a live one and a recorded one can be compared:
 * ids become the order of their first use, times and sizes vanish, and what has no defined order relative to each other (HTTP, each
 * socket, the log) stands apart.
 */
export interface Normalised {
  http: unknown[];
  sockets: Record<string, unknown[]>;
  log: Record<string, number>;
  facts: unknown[];
}

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;
const SERVER_ID = /^[0-9a-f]{32}$/;

/** Values that depend on the machine, the moment or the history of the process, by key. */
const VOLATILE = new Set(
  "timestamp create_time execution_start_time execution_end_time priority traceback current_inputs current_outputs input_config".split(
    " ",
  ),
);

/** Lists that ComfyUI makes from Python sets: their order is chance. */
const UNORDERED = new Set(["executed", "nodes", "errors", "dependent_outputs"]);

/** Log lines that tell of trouble. (`got prompt` can share its line with a progress bar.) */
const LOG_LINES =
  /Failed to validate prompt|Processing interrupted|!!! Exception during processing|Exception in thread|Stopped server/;

/** Facts that the recording made by looking, not by asking the engine. */
const NOTED_FACTS = /^(temp folder left|file \S+ exists)/;

/** Bodies that the recording did not keep; the scenarios do not ask for them. */
const LEFT_OUT = new Set<unknown>(["(entry, see other files)", "(normal answer)"]);

/** Fields of node progress that a client may read. */
const PROGRESS_FIELDS = "display_node_id max node_id parent_node_id prompt_id real_node_id state value";

/** Reduces a transcript. `isThinned`: progress was left out of the recording from some point on, so it is ignored everywhere. */
export function normalise(events: readonly TranscriptEvent[], { isThinned }: { isThinned: boolean }): Normalised {
  const ids = nameIds(events);
  // Then their place among the other messages, and whether the last one is still seen, is chance.
  const areStatusesIgnored =
    events.some((event) => queueRemaining(event) > 1) || events.filter((event) => event["open"]).length > 1;
  const sockets: Record<string, unknown[]> = {};
  const result: Normalised = { http: [], sockets, log: {}, facts: [] };
  let request = "";
  for (const event of events) {
    const socket = String(event["conn"] ?? "socket");
    if (event.dir === "http>") request = clean(`${event["method"]} ${event["path"]}`, ids) as string;
    else if (event.dir === "http<" && !LEFT_OUT.has(event["body"]))
      result.http.push([request, httpAnswer(event, request, ids)]);
    else if (event.dir === "ws>" && event["open"]) sockets[socket] ??= [];
    else if (event.dir === "ws<bin" && !isThinned) sockets[socket]!.push(frame(event, ids));
    else if (event.dir === "ws<" && event["msg"]) {
      const message = event["msg"] as Message;
      if (message.type === "status" && areStatusesIgnored) continue;
      if (!message.type.startsWith("progress")) sockets[socket]!.push(clean(message, ids));
      else if (!isThinned) sockets[socket]!.push(progress(message, ids));
    } else if (event.dir === "ws<" && typeof event["close"] === "number")
      sockets[socket]!.push({ closed: event["close"] });
    else if (event.dir === "exit") result.facts.push({ exit: event["code"] });
    else if (event.dir === "note" && NOTED_FACTS.test(String(event["text"]))) result.facts.push(event["text"]);
  }
  for (const [name, messages] of Object.entries(sockets)) sockets[name] = joinBursts(messages);
  result.log = countLogLines(events.filter(({ dir }) => dir === "log").map((event) => String(event["line"])));
  return result;
}

/** How often each kind of telling line occurs. */
export function countLogLines(lines: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const line of lines) {
    const kind = LOG_LINES.exec(line)?.[0];
    if (kind) counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

/** Our own ids in the order in which we used them, which is the same in both transcripts. */
function nameIds(events: readonly TranscriptEvent[]): Map<string, string> {
  const ids = new Map<string, string>();
  for (const event of events) {
    if (!event.dir.endsWith(">")) continue;
    for (const [id] of JSON.stringify(event).matchAll(UUID)) if (!ids.has(id)) ids.set(id, `<id ${ids.size + 1}>`);
  }
  return ids;
}

function queueRemaining(event: TranscriptEvent): number {
  const data = (event["msg"] as Message | undefined)?.data as Partial<StatusData> | undefined;
  return data?.status?.exec_info.queue_remaining ?? 0;
}

interface StatusData {
  status: { exec_info: { queue_remaining: number } };
}

/** Replaces what differs from run to run, at any depth. */
function clean(value: unknown, ids: ReadonlyMap<string, string>, key = ""): unknown {
  if (VOLATILE.has(key)) return "<volatile>";
  if (key === "number" && Number.isInteger(value)) return Object.is(value, -0) || Number(value) < 0 ? "<-n>" : "<n>";
  if (typeof value === "string") return cleanText(value, ids);
  if (Array.isArray(value)) {
    const items = isQueueItem(value) ? ["<n>", ...value.slice(1, 4), (value[4] as string[]).toSorted()] : value;
    const cleaned = items.map((item) => clean(item, ids));
    return UNORDERED.has(key) ? cleaned.sort(byJson) : cleaned;
  }
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [cleanText(name, ids), clean(item, ids, name)]),
  );
}

function cleanText(text: string, ids: ReadonlyMap<string, string>): string {
  if (SERVER_ID.test(text)) return "<server's id>";
  return text
    .replace(UUID, (id) => ids.get(id) ?? "<server's id>")
    .replace(/_temp_[a-z]{5}_/, "_temp_xxxxx_")
    .replace(/_\d{5}(_?\.\w+)$/, "_#####$1")
    .replace(/'\S+\/(input|output)\//, "'<run>/$1/")
    .replace(/not in (\[.*\]|\(list of length \d+\))/, "not in <list>");
}

/** `[number, prompt id, graph, extra data, outputs]` of the queue and the history. */
function isQueueItem(value: unknown[]): boolean {
  return value.length === 5 && typeof value[0] === "number" && typeof value[1] === "string" && Array.isArray(value[4]);
}

function httpAnswer(event: TranscriptEvent, request: string, ids: ReadonlyMap<string, string>): unknown {
  if (event["error"]) return "no connection";
  const headers = event["headers"] as Record<string, string>;
  const kept = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]);
  const body = event["body"];
  return {
    status: event["status"],
    headers: Object.fromEntries(kept.filter(([name]) => name !== "content-length").sort(byJson)),
    body: SHAPE_ONLY.test(request) ? shape(body) : isPicture(body) ? { image: body.image } : clean(body, ids),
  };
}

/** Answers about the machine and its models. */
const SHAPE_ONLY = /system_stats|GET \/models|embeddings/;

function shape(value: unknown): unknown {
  if (Array.isArray(value)) return value.length > 0 ? [shape(value[0])] : [];
  if (typeof value !== "object" || value === null) return typeof value;
  return Object.keys(value).sort();
}

function isPicture(body: unknown): body is { image: unknown } {
  return typeof body === "object" && body !== null && "image" in body && body.image !== null;
}

function frame(event: TranscriptEvent, ids: ReadonlyMap<string, string>): Burst {
  const { event: kind, format, meta, image_size } = event;
  return { burst: [{ frame: kind, format, meta: clean(meta, ids), image: image_size }] };
}

interface Burst {
  burst: unknown[];
}

/** What every report of one piece of work has in common: values in between depend on speed and throttling. */
function progress({ type, data }: Message, ids: ReadonlyMap<string, string>): Burst {
  if (type === "progress") {
    const { value, max, ...rest } = data;
    return { burst: [{ progress: clean(rest, ids), max, isFirst: value === 1, isLast: value === max }] };
  }
  const nodes = Object.entries(data["nodes"] as Record<string, Record<string, unknown>>).map(([id, fields]) => {
    const names = Object.keys(fields).sort().join(" ");
    return [id, names === PROGRESS_FIELDS ? fields["state"] : names];
  });
  return { burst: [{ states: Object.fromEntries(nodes), prompt_id: clean(data["prompt_id"], ids) }] };
}

/** Neighbouring reports become the set of what was reported. */
function joinBursts(messages: readonly unknown[]): unknown[] {
  const joined: unknown[] = [];
  for (const message of messages) {
    const last = joined.at(-1);
    if (isBurst(message) && isBurst(last)) last.burst.push(...message.burst);
    else joined.push(isBurst(message) ? { burst: [...message.burst] } : message);
  }
  return joined.map((message) => {
    if (!isBurst(message)) return message;
    const distinct = new Map(message.burst.map((report) => [JSON.stringify(report), report]));
    const middle = /"isFirst":false,"isLast":false/;
    return {
      burst: [...distinct]
        .filter(([json]) => !middle.test(json))
        .map(([, report]) => report)
        .sort(byJson),
    };
  });
}

function isBurst(message: unknown): message is Burst {
  return typeof message === "object" && message !== null && "burst" in message;
}

function byJson(a: unknown, b: unknown): number {
  const [left, right] = [JSON.stringify(a), JSON.stringify(b)];
  return left < right ? -1 : left > right ? 1 : 0;
}
