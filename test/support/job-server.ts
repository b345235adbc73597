/** A job server as RunPod has it, whose answers a test writes down beforehand; it keeps every request. */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { onTestFinished } from "vitest";

export type Channel = "take" | "stop" | "done" | "stream" | "ping" | "other";

export interface Call {
  channel: Channel;
  /** Milliseconds since the server's start. */
  at: number;
  /** Path and query. */
  target: string;
  headers: IncomingHttpHeaders;
  body: string;
  /** When the caller hung up without an answer. */
  closedAt?: number;
}

/** `status` 0: the connection is cut; `text` goes as it is, with its `type`. */
export interface Answer {
  status?: number;
  json?: unknown;
  text?: string;
  type?: string;
  /** The answer comes so much later. */
  afterMs?: number;
  /** The answer comes when this resolves. */
  when?: Promise<unknown>;
}

export interface Result {
  id: string;
  body: Record<string, unknown>;
  call: Call;
}

export interface JobServer {
  calls: Call[];
  on(channel: Channel): Call[];
  /** Bodies of results, without those that tell progress. */
  results(): Result[];
  /** Resolves with the first call of the channel, from now or before, that fits. */
  called(channel: Channel, fits?: (call: Call) => boolean): Promise<Call>;
  /** Resolves with the channel's calls when there are so many, or more. */
  calledTimes(channel: Channel, count: number): Promise<Call[]>;
  /** What RunPod sets in a worker's environment. */
  environment: Record<string, string>;
}

/** As a server that has nothing to say for a while. */
const DEFAULTS: Record<Channel, Answer> = {
  take: { status: 204, afterMs: 2_000 },
  stop: { status: 204, afterMs: 3_000 },
  done: { json: { status: "ok" } },
  stream: { json: { status: "ok" } },
  ping: { json: {} },
  other: { status: 404 },
};

export const KEY = "rpa_TESTKEY";
const QUERY = "?gpu=NVIDIA+H100+80GB+HBM3";

/** Answers of each channel, one by one, or one that depends on the request; then what the server answers by itself. A function answers every request. */
export type Script = Partial<
  Record<Channel, (Answer | ((call: Call) => Answer))[] | ((call: Call) => Promise<Answer>)>
>;

/** @param atEnd registers what ends it; with the test, unless a file shares one. */
export async function startJobServer(
  script: Script = {},
  atEnd: (stop: () => void) => void = onTestFinished,
): Promise<JobServer> {
  const startedAt = performance.now();
  const now = () => Math.round(performance.now() - startedAt);
  const calls: Call[] = [];
  const scripts = new Map(
    Object.entries(script).map(([channel, answers]) => [
      channel as Channel,
      typeof answers === "function" ? answers : [...answers],
    ]),
  );
  const waiting = new Set<() => void>();

  const server = createServer(async (request, response) => {
    const target = request.url!;
    const channel = channelOf(target);
    const call: Call = { channel, at: now(), target, headers: request.headers, body: "" };
    response.on("close", () => {
      if (!response.writableFinished) call.closedAt = now();
    });
    call.body = await text(request).catch(() => "");
    const answers = scripts.get(channel) ?? [];
    const scripted = typeof answers === "function" ? answers : (answers.shift() ?? DEFAULTS[channel]);
    const answer = typeof scripted === "function" ? scripted(call) : scripted;
    calls.push(call);
    for (const check of waiting) check();
    await reply(response, await answer);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  atEnd(() => {
    server.closeAllConnections();
    server.close();
  });
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v2/ep1`;
  const on = (channel: Channel) => calls.filter((call) => call.channel === channel);
  const called: JobServer["called"] = (channel, fits = () => true) =>
    new Promise((resolve) => {
      const check = () => {
        const found = calls.find((call) => call.channel === channel && fits(call));
        if (!found) return;
        waiting.delete(check);
        resolve(found);
      };
      waiting.add(check);
      check();
    });

  return {
    calls,
    on,
    results: () =>
      on("done")
        .map((call) => ({
          id: decodeURIComponent(call.target.match(/\/job-done\/[^/]*\/([^?]*)/)![1]!),
          body: JSON.parse(call.body) as Record<string, unknown>,
          call,
        }))
        .filter(({ body }) => body["status"] !== "IN_PROGRESS"),
    called,
    calledTimes: async (channel, count) => {
      await called(channel, () => on(channel).length >= count);
      return on(channel);
    },
    environment: {
      RUNPOD_WEBHOOK_GET_JOB: `${base}/job-take/$ID${QUERY}`,
      RUNPOD_WEBHOOK_POST_OUTPUT: `${base}/job-done/$RUNPOD_POD_ID/$ID${QUERY}`,
      RUNPOD_WEBHOOK_POST_STREAM: `${base}/job-stream/$RUNPOD_POD_ID/$ID${QUERY}`,
      RUNPOD_WEBHOOK_PING: `${base}/ping/$RUNPOD_POD_ID${QUERY}`,
      RUNPOD_PING_INTERVAL: "1000",
      RUNPOD_POD_ID: "worker-1",
      RUNPOD_ENDPOINT_ID: "ep1",
      RUNPOD_AI_API_KEY: KEY,
    },
  };
}

/** A job for each id, in one answer: an object for one, as a list for several. */
export const handsOut = (...jobs: unknown[]): Answer => ({ json: jobs.length === 1 ? jobs[0] : jobs });

function channelOf(target: string): Channel {
  const word = target
    .match(/^\/v2\/ep1\/(?:job-(take-batch|take|stop|done|stream)|(ping))\//)
    ?.slice(1)
    .find(Boolean);
  return word === undefined ? "other" : word === "take-batch" ? "take" : (word as Channel);
}

async function reply(response: ServerResponse, { status = 200, json, text: body, type, afterMs, when }: Answer) {
  await when;
  if (afterMs !== undefined) await sleep(afterMs, undefined, { ref: false });
  if (status === 0) return response.destroy();
  const contentType = type ?? (json === undefined ? undefined : "application/json");
  response.writeHead(status, contentType === undefined ? {} : { "content-type": contentType });
  return response.end(body ?? (json === undefined ? "" : JSON.stringify(json)));
}
