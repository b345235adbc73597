/** Lambda's Runtime API as the platform serves it to a runtime, and with the faults that it may have. */
import { randomUUID } from "node:crypto";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { onTestFinished } from "vitest";
import { type RunningWorker, startWorker } from "./endpoint.ts";

const ROOT = "/2018-06-01/runtime/";
const MAX_ANSWER_BYTES = 6 * 1024 ** 2;

export interface RuntimeCall {
  method: string;
  /** Below the version. */
  path: string;
  /** The path with `*` for the id: `invocation/next`, `init/error` ... */
  route: string;
  requestId: string | undefined;
  headers: IncomingHttpHeaders;
  body: string;
  /** Milliseconds, monotonic. */
  at: number;
}

/** What became of an invocation. */
export interface Outcome {
  kind: "response" | "error";
  /** Parsed. */
  body: unknown;
  headers: IncomingHttpHeaders;
}

interface HandOut {
  requestId?: string;
  /** Epoch; default: in a minute. */
  deadlineMs?: number;
  headers?: Record<string, string>;
}

/** A status in place of the usual answer, or a connection that is cut. */
export type Fault = number | "reset";

export interface LambdaRuntime {
  settings: Record<string, string>;
  /** All so far, in order. */
  calls: RuntimeCall[];
  /** Resolves when so many polls are open. */
  polling(count?: number): Promise<void>;
  /** Resolves when a call to the route has come, also before. */
  called(route: string): Promise<RuntimeCall>;
  /** Hands an event out to the next poll; resolves with what comes back, faults aside. */
  invoke(event: unknown, handOut?: HandOut): Promise<Outcome>;
  /** The next calls of a route fail so. */
  fail(route: string, ...faults: Fault[]): void;
}

/** The product as Lambda runs it. */
export async function startLambda(
  settings: Record<string, string> = {},
): Promise<{ runtime: LambdaRuntime; worker: RunningWorker }> {
  const runtime = await startLambdaRuntime();
  return { runtime, worker: startWorker({ ...runtime.settings, ...settings }) };
}

/** @param atEnd registers what ends it; with the test, unless a file shares one. */
export async function startLambdaRuntime(atEnd: (stop: () => void) => void = onTestFinished): Promise<LambdaRuntime> {
  const calls: RuntimeCall[] = [];
  const faults = new Map<string, Fault[]>();
  const events: ((response: ServerResponse) => void)[] = [];
  const outcomes = new Map<string, (outcome: Outcome) => void>();
  const polls = new Set<ServerResponse>();
  const watchers = new Set<() => void>();
  const changed = () => {
    for (const check of watchers) check();
  };
  const until = (isSo: () => boolean) =>
    new Promise<void>((resolve) => {
      const check = () => {
        if (!isSo()) return;
        watchers.delete(check);
        resolve();
      };
      watchers.add(check);
      check();
    });

  const handOut = () => {
    for (const poll of polls) {
      const give = events.shift();
      if (!give) return;
      polls.delete(poll);
      give(poll);
    }
  };
  const json = (response: ServerResponse, status: number, body: object = { status: "OK" }) =>
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));

  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const path = request.url!.slice(ROOT.length);
    const [, requestId] = path.match(/^invocation\/([^/]+)\/(?:response|error)$/) ?? [];
    const route = requestId === undefined ? path : path.replace(requestId, "*");
    const body = await text(request);
    calls.push({
      method: request.method!,
      path,
      route,
      requestId,
      headers: request.headers,
      body,
      at: performance.now(),
    });
    const fault = faults.get(route)?.shift();
    if (fault === "reset") request.socket.resetAndDestroy();
    else if (fault !== undefined) json(response, fault, { errorMessage: "as the test wants it", errorType: "Fault" });
    else if (route === "invocation/next") {
      polls.add(response);
      response.on("close", () => polls.delete(response));
      handOut();
    } else if (body.length > MAX_ANSWER_BYTES) json(response, 413, { errorType: "RequestEntityTooLarge" });
    else {
      json(response, 202);
      if (requestId !== undefined) {
        const kind = route.endsWith("/response") ? "response" : "error";
        outcomes.get(requestId)?.({ kind, body: JSON.parse(body), headers: request.headers });
      }
    }
    changed();
  };
  const server = createServer((request, response) => void serve(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  atEnd(() => {
    server.closeAllConnections();
    server.close();
  });

  return {
    settings: { AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${(server.address() as AddressInfo).port}` },
    calls,
    polling: (count = 1) => until(() => polls.size >= count),
    called: async (route) => {
      const find = () => calls.find((call) => call.route === route);
      await until(() => find() !== undefined);
      return find()!;
    },
    invoke: (event, { requestId = randomUUID(), deadlineMs = Date.now() + 60_000, headers = {} } = {}) => {
      events.push((response) => {
        response.writeHead(200, {
          "content-type": "application/json",
          "lambda-runtime-aws-request-id": requestId,
          "lambda-runtime-deadline-ms": String(deadlineMs),
          "lambda-runtime-invoked-function-arn": "arn:aws:lambda:us-east-1:000000000000:function:comfy",
          ...headers,
        });
        response.end(typeof event === "string" ? event : JSON.stringify(event));
      });
      const outcome = new Promise<Outcome>((resolve) => outcomes.set(requestId, resolve));
      handOut();
      return outcome;
    },
    fail: (route, ...next) => faults.set(route, [...(faults.get(route) ?? []), ...next]),
  };
}
