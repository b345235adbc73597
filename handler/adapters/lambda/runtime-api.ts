/** Lambda's Runtime API: hands out invocations, takes what became of them. What it does not take at once is sent again. */
import { Agent, type IncomingHttpHeaders, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { EndpointError } from "../../../runtime/errors.ts";
import { version } from "../../version.ts";
import { remainingMs } from "./deadline.ts";

/** An invocation as it was handed out. */
export interface RuntimeInvocation {
  requestId: string;
  /** X-Ray's. */
  traceId: string | undefined;
  /** JSON of the event. */
  event: string;
  /** What is left of the function's time; undefined when it was not told. */
  remainingMs: number | undefined;
}

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

interface Call {
  /** JSON; without it the call is a GET. */
  body?: string;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** Milliseconds before each repetition; after the last (11 s in all) the environment is taken for lost. */
const PAUSES_MS = [100, 200, 400, 800, 1_600, 3_200, 5_000];
/** A connection for each call: it is local, and one kept through a frozen environment may be dead. */
const AGENT = new Agent({ keepAlive: false });

export class RuntimeApi {
  readonly #root: string;
  readonly #log: Logger;

  /** @param address host and port, as `AWS_LAMBDA_RUNTIME_API` has them. */
  constructor(address: string, log: Logger) {
    this.#root = `http://${address}/2018-06-01/runtime`;
    this.#log = log;
  }

  /** Waits for the next invocation, however long. @throws Error when the Runtime API is lost; the signal's reason. */
  async next(signal: AbortSignal): Promise<RuntimeInvocation> {
    const isInvocation = ({ status, headers }: Answer) => status === 200 && header(headers, "aws-request-id") !== "";
    const { headers, body } = await this.#insist("invocation/next", { signal }, isInvocation);
    const deadline = Number(header(headers, "deadline-ms") || Number.NaN);
    return {
      requestId: header(headers, "aws-request-id"),
      traceId: header(headers, "trace-id") || undefined,
      event: body,
      remainingMs: Number.isNaN(deadline) ? undefined : remainingMs(deadline, headers.date),
    };
  }

  /**
   * Answers an invocation with its result's JSON.
   * @throws EndpointError `output_too_large` when the platform finds it so; Error when the Runtime API is lost.
   */
  async respond(requestId: string, body: string): Promise<void> {
    const { status } = await this.#insist(`invocation/${requestId}/response`, { body });
    if (status === 413) {
      const megabytes = (Buffer.byteLength(body) / 1e6).toFixed(1);
      throw new EndpointError("output_too_large", `Lambda refused the answer of ${megabytes} MB; configure S3_BUCKET`);
    }
    if (status >= 300) this.#log.warn({ requestId, status }, "Lambda did not take the answer; its time was over");
  }

  /** Answers an invocation with an error. @throws Error when the Runtime API is lost. */
  async fail(requestId: string, error: EndpointError): Promise<void> {
    const { status } = await this.#insist(`invocation/${requestId}/error`, describe(error, requestId));
    if (status >= 300) this.#log.warn({ requestId, status }, "Lambda did not take the error; its time was over");
  }

  /** Tells that this environment will never take an invocation. @throws Error when the Runtime API is lost. */
  async failInit(error: EndpointError): Promise<void> {
    await this.#insist("init/error", describe(error, ""));
  }

  /** Calls until the answer is one that a repetition would not better. */
  async #insist(
    path: string,
    call: Call,
    isFinal = ({ status }: Answer) => status >= 200 && status < 500,
  ): Promise<Answer> {
    for (let tries = 0; ; tries++) {
      const answer = await exchange(`${this.#root}/${path}`, call).catch((error: Error) => error);
      call.signal?.throwIfAborted();
      if (!(answer instanceof Error) && isFinal(answer)) return answer;
      const problem = answer instanceof Error ? answer.message : `status ${answer.status}`;
      const pauseMs = PAUSES_MS[tries];
      if (pauseMs === undefined) throw new Error(`the Runtime API does not answer ${path}: ${problem}`);
      this.#log.warn({ path, problem, pauseMs }, "a call to the Runtime API failed; repeating it");
      await sleep(pauseMs, undefined, call.signal && { signal: call.signal }).catch(() => {});
    }
  }
}

/** The code is the error's type; besides, the caller sees whether to try again. */
function describe({ code, message, retryable, details }: EndpointError, requestId: string): Call {
  const error = {
    errorMessage: message,
    errorType: code,
    requestId,
    stackTrace: [],
    retryable,
    ...(details && { details }),
  };
  return { body: JSON.stringify(error), headers: { "lambda-runtime-function-error-type": code } };
}

const header = (headers: IncomingHttpHeaders, name: string) => String(headers[`lambda-runtime-${name}`] ?? "");

/** One call, without a time limit: an invocation may come in hours. */
function exchange(url: string, { body, headers, signal }: Call): Promise<Answer> {
  const own = { "user-agent": `comfy-endpoint/${version}` };
  const content = body !== undefined && {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
  };
  return new Promise((resolve, reject) => {
    const outgoing = request(
      url,
      {
        agent: AGENT,
        method: body === undefined ? "GET" : "POST",
        headers: { ...own, ...content, ...headers },
        ...(signal && { signal }),
      },
      (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
        incoming.on("error", reject);
        incoming.on("end", () =>
          resolve({
            status: incoming.statusCode ?? 0,
            headers: incoming.headers,
            body: Buffer.concat(chunks).toString("utf8"),
          }),
        );
      },
    );
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}
