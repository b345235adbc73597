/** What one process does from the engine's start to its own end: wires the parts, follows signals, says how it ended. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { Engines } from "../runtime/engines.ts";
import { EndpointError } from "../runtime/errors.ts";
import type { EnginePlan } from "../runtime/launch.ts";
import type { Supervisor } from "../runtime/supervisor.ts";
import type { AdapterContext } from "./adapters/adapter.ts";
import { findPlatform } from "./adapters/platforms.ts";
import { type Config, withDefaults } from "./config.ts";
import { Endpoint } from "./endpoint.ts";
import { graceSeconds } from "./lifecycle/grace.ts";
import { startLifecycle } from "./lifecycle/lifecycle.ts";
import { createOutputs } from "./outputs/deliver.ts";
import { openObjectStore } from "./outputs/s3.ts";
import { SdapiWorker } from "./sdapi-worker.ts";

export interface RunOptions {
  command: string;
  file: string | undefined;
  outDir: string | undefined;
  config: Config;
  /** The engines, on their way up. */
  started: readonly { plan: EnginePlan; supervisor: Supervisor }[];
  log: Logger;
}

/** As the shell counts a process ended by SIGTERM. */
const TERMINATED = 143;
/** After the grace, what is left is interrupted; what does not even answer then is left behind. */
const FORCE_MS = 3_000;

/** @returns the exit code. */
export async function run({ command, file, outDir, config: given, started, log }: RunOptions): Promise<number> {
  const config = withDefaults(given, { SHUTDOWN_GRACE_SECONDS: graceSeconds(given.environment) });
  const engines = new Engines(started);
  const openStore = once(() => openObjectStore(config));
  // The SDK takes a while to load; the engine takes longer.
  if (config.S3_BUCKET !== undefined) void openStore().catch(() => {});
  const endpoint = new Endpoint({
    engines,
    outputs: createOutputs(config, openStore, log),
    sdapi: new SdapiWorker(config, log),
    log,
    maxQueueDepth: config.MAX_QUEUE_DEPTH,
    timeoutMs: config.INVOCATION_TIMEOUT_SECONDS * 1000,
    extraData: config.COMFY_ORG_API_KEY === undefined ? {} : { api_key_comfy_org: config.COMFY_ORG_API_KEY },
  });
  const terminated = onTerminate(log);
  try {
    if (command === "check") return await (await import("./check.ts")).printCheck(config, started, terminated);
    if (command === "invoke") return await invoke(endpoint, { source: file!, outDir, config, terminated });
    if (command === "test-input") {
      const { runTestInput } = await import("./adapters/runpod/test-input.ts");
      return await runTestInput(endpoint, file);
    }
    return await serve(endpoint, { config, openStore, terminated, log });
  } finally {
    await engines.stop();
  }
}

/** Serves until SIGTERM, until the engine is beyond repair, or until the platform has no more work; then drains. */
async function serve(
  endpoint: Endpoint,
  { terminated, ...given }: Omit<AdapterContext, "endpoint"> & { terminated: AbortSignal },
): Promise<number> {
  const { log } = given;
  const platform = findPlatform(given.config);
  const config = withDefaults(given.config, platform.defaults?.(given.config.environment) ?? {});
  const metrics = config.METRICS ? (await import("./metrics.ts")).measure(endpoint) : undefined;
  const context: AdapterContext = { ...given, endpoint, config, metrics };
  const adapters = [await platform.load(), ...(platform.hasProbes ? [await loadProbes()] : [])];
  log.info({ platform: platform.name }, `work comes by ${platform.name}`);
  const intakes = await Promise.all(adapters.map((adapter) => adapter.start(context)));
  const finished = intakes.flatMap((intake) => intake.finished ?? []);
  const leaving = startLifecycle({ endpoint, config, log });
  const end = await Promise.race([whenAborted(terminated), endpoint.engines.ended, leaving, ...finished]);
  const departure = typeof end === "object" ? end : undefined;
  const { failure } = endpoint.engines;
  if (failure)
    log.fatal(
      { code: failure.code, err: failure },
      "the engine is beyond repair; exiting so that the worker is replaced",
    );
  const grace = departure?.graceMs ?? graceMs(config);
  const graceEndsAt = performance.now() + grace;
  await within(FORCE_MS, Promise.all(intakes.map((intake) => intake.stop())));
  // Who was given more time than usual is told by a signal that it is over.
  if (departure) void whenAborted(terminated).then(() => endpoint.drain(graceMs(config)));
  await drain(endpoint, Math.max(0, graceEndsAt - performance.now()));
  // An answer that the platform does not take yet may be brought again as long as there is time.
  const leftMs = Math.max(FORCE_MS, graceEndsAt - performance.now());
  await within(leftMs, Promise.all(intakes.map((intake) => intake.close())));
  return failure ? 1 : typeof end === "number" ? end : 0;
}

const loadProbes = async () => (await import("./adapters/http/probes.ts")).probes;

async function invoke(
  endpoint: Endpoint,
  {
    source,
    outDir,
    config,
    terminated,
  }: { source: string; outDir: string | undefined; config: Config; terminated: AbortSignal },
): Promise<number> {
  const { runOneshot } = await import("./adapters/oneshot.ts");
  const never = new AbortController().signal;
  const outcome = runOneshot(endpoint, { source, outDir, signal: never });
  const drained = whenAborted(terminated).then(() => drain(endpoint, graceMs(config)));
  const code = await outcome;
  if (!terminated.aborted) return code;
  await drained;
  return code === 0 ? 0 : TERMINATED;
}

/** Resolves with the work, or without it when the time is over. */
async function within(ms: number, work: Promise<unknown>): Promise<void> {
  const clock = new AbortController();
  await Promise.race([work, sleep(ms, undefined, { signal: clock.signal }).catch(() => {})]);
  clock.abort();
}

/** Two clocks: the grace, in which work may finish, and a last one for what was interrupted. */
async function drain(endpoint: Endpoint, ms: number): Promise<void> {
  const force = new Promise((resolve) => setTimeout(resolve, ms + FORCE_MS).unref());
  await Promise.race([endpoint.drain(ms), force]);
}

const graceMs = ({ SHUTDOWN_GRACE_SECONDS: seconds }: Config) => seconds * 1000;

/** Fires on SIGTERM or SIGINT; a second signal ends the process at once. */
function onTerminate(log: Logger): AbortSignal {
  const terminated = new AbortController();
  const onSignal = (signal: NodeJS.Signals) => {
    if (terminated.signal.aborted) process.exit(TERMINATED);
    log.info({ signal }, "shutting down");
    terminated.abort(new EndpointError("draining", "this worker is shutting down"));
  };
  process.on("SIGTERM", onSignal).on("SIGINT", onSignal);
  return terminated.signal;
}

function whenAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}
