/** One life of an engine, from its start to its end: a child of ours, or a server that somebody else runs. */
import { EndpointError } from "./errors.ts";
import type { EnginePlan } from "./launch.ts";
import { describeExit, spawnChild } from "./process.ts";
import { resourceMark } from "./readiness.ts";

export interface EngineProcess {
  /** Undefined for an engine that somebody else runs. */
  pid: number | undefined;
  /** Fires when the process is gone; the reason is the EndpointError that callers get. */
  gone: AbortSignal;
  /** Resolves with the same error, when nothing is left of the process. */
  ended: Promise<EndpointError>;
  /** Ends it at once; `reason` says why it was not fit to live, unless `error` is to be what callers get. */
  end(reason: string, error?: EndpointError): void;
  /** Ends it as an operator would: asked first, killed if it does not listen. */
  stop(): Promise<void>;
  progressMark(): string;
}

/** What Python prints when the only thread that runs prompts has died; the server goes on answering 200 for ever. */
const WORKER_DIED = /Exception in thread .*\(prompt_worker\)/;
const STOP_GRACE_MS = 3_000;
const LOG_TAIL = 20;
const PROBE_MS = 5_000;
const PROBE_FAILURES = 3;

export function startEngineProcess(plan: EnginePlan, onLine: (line: string) => void): EngineProcess {
  return plan.command === undefined ? watchExternal(plan) : startChild(plan, plan.command, onLine);
}

function startChild(plan: EnginePlan, command: readonly string[], onLine: (line: string) => void): EngineProcess {
  const gone = new AbortController();
  let lines = 0;
  let given: { reason: string; error?: EndpointError | undefined } | undefined;

  const end = (reason: string, error?: EndpointError) => {
    given ??= { reason, error };
    child.kill("SIGKILL");
  };
  const child = spawnChild(command, {
    cwd: plan.cwd,
    env: plan.env,
    onLine: (line) => {
      lines += 1;
      onLine(line);
      if (WORKER_DIED.test(line)) end("its worker thread died");
    },
  });
  const killOnExit = () => child.kill("SIGKILL");
  process.once("exit", killOnExit);

  const ended = child.exited.then((exit) => {
    process.off("exit", killOnExit);
    const cause = given?.reason ?? describeExit(exit);
    const details = { ...exit, ...given?.error?.details, log: child.lastLines().slice(-LOG_TAIL) };
    const error = given?.error
      ? new EndpointError(given.error.code, given.error.message, { details, cause: given.error.cause })
      : new EndpointError("comfyui_exited", `ComfyUI ended: ${cause}`, { details });
    gone.abort(error);
    return error;
  });

  return {
    pid: child.pid,
    gone: gone.signal,
    ended,
    end,
    async stop() {
      given ??= { reason: "stopped" };
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), STOP_GRACE_MS);
      await ended;
      clearTimeout(timer);
    },
    progressMark: () => `${lines} ${resourceMark(child.pid)}`,
  };
}

/** An external engine is gone when it does not answer several times in a row; it may come back. */
function watchExternal(plan: EnginePlan): EngineProcess {
  const gone = new AbortController();
  const client = import("./comfyui/client.ts").then(({ createClient }) => createClient(plan.url));
  const ended = Promise.withResolvers<EndpointError>();
  let failures = 0;
  let answered = false;

  const end = (reason: string, error?: EndpointError) => {
    clearInterval(probe);
    const outcome = error ?? new EndpointError("comfyui_unreachable", `the external ComfyUI is unfit: ${reason}`);
    gone.abort(outcome);
    ended.resolve(outcome);
  };
  const probe = setInterval(async () => {
    const serves = await (await client).isServing();
    answered ||= serves;
    failures = serves ? 0 : failures + 1;
    if (answered && failures >= PROBE_FAILURES) end("it does not answer");
  }, PROBE_MS);

  return {
    pid: undefined,
    gone: gone.signal,
    ended: ended.promise,
    end,
    stop: async () => end("stopped"),
    progressMark: () => "",
  };
}
