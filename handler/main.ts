#!/usr/bin/env node
/** The one entry: starts the engine first, then everything else while it boots. Its first line lets the bundle be a command. */
import { parseArgs } from "node:util";
import { planEngines } from "../runtime/launch.ts";
import { Supervisor } from "../runtime/supervisor.ts";
import { ConfigError, loadConfig } from "./config.ts";
import { createLogger, logEngineLine } from "./log.ts";

const USAGE = `usage: comfy-endpoint [serve]                     answer HTTP requests (the default)
       comfy-endpoint invoke FILE [--out DIR]   run one payload (- is stdin), print the result
       comfy-endpoint check                     print the settings and what the engine offers
       comfy-endpoint submit FILE               have a queue's workers run one payload; 'submit --help' tells how
as RunPod's workers:
       comfy-endpoint --test_input JSON         run one job, print its result; --once takes it from test_input.json
       comfy-endpoint --rp_serve_api [--rp_api_host HOST] [--rp_api_port PORT]   answer as RunPod's local API`;

// The only command without an engine: somebody else's runs the payload.
if (process.argv[2] === "submit") {
  const { submit } = await import("./submit/submit.ts");
  process.exit(await submit(process.argv.slice(3)));
}
const { command, file, outDir, settings } = readArguments();
const config = orExit(() => loadConfig(undefined, settings));
const plans = await planEngines({
  home: config.COMFYUI_HOME,
  command: config.COMFYUI_COMMAND,
  urls: config.ENGINE === "emulator" ? undefined : config.COMFYUI_URL,
  gpus: config.COMFYUI_GPUS,
  emulator: config.ENGINE === "emulator" || !(config.COMFYUI_HOME ?? config.COMFYUI_COMMAND ?? config.COMFYUI_URL),
  args: config.COMFYUI_ARGS,
  python: config.COMFYUI_PYTHON,
  port: config.COMFYUI_PORT,
  dataDir: config.DATA_DIR,
  inputDir: config.INPUT_DIR,
  outputDir: config.OUTPUT_DIR,
  env: config.environment,
}).catch((error) => exitWith(`the engine cannot be prepared: ${error.message}`));
process.once("exit", () => {
  for (const plan of plans) plan.cleanUp();
});
const log = await createLogger(config.LOG_LEVEL, command === "serve" ? 1 : 2);
const started = plans.map((plan, index) => {
  // Where there are several, each line tells whose it is.
  const engineLog = plans.length > 1 ? log.child({ engineIndex: index }) : log;
  const supervisor = new Supervisor(plan, {
    maxRestarts: config.COMFYUI_MAX_RESTARTS,
    startStallMs: config.COMFYUI_START_STALL_SECONDS * 1000,
    interruptGraceMs: config.COMFYUI_INTERRUPT_GRACE_SECONDS * 1000,
    warmUp: async (link, catalogue) => (await import("./warm-up.ts")).warmUp(config, plan, engineLog, link, catalogue),
    onLine: (line) => logEngineLine(engineLog, line),
  });
  supervisor.machine.onTransition(({ from, to, reason, elapsedMs }) => {
    // Ready and busy alternate with every prompt, which has lines of its own.
    const level = to === "busy" || (from === "busy" && to === "ready") ? "debug" : "info";
    engineLog[level]({ component: "engine", from, to, reason, elapsedMs, enginePid: supervisor.pid }, `engine ${to}`);
  });
  engineLog.info(
    { engine: plan.kind, engineUrl: plan.url, enginePid: supervisor.pid, aliases: config.aliasesUsed },
    `starting the engine: ${plan.kind}`,
  );
  return { plan, supervisor };
});

const { run } = await import("./run.ts");
const code = await run({ command, file, outDir, config, started, log }).catch((error) => {
  // A platform's own settings are read by its adapter.
  const isMistake = error instanceof ConfigError;
  log.fatal(isMistake ? {} : { err: error }, error.message);
  return isMistake ? 2 : 1;
});
process.exit(code);

interface Arguments {
  command: string;
  /** The payload's file; for RunPod's test the job itself. */
  file: string | undefined;
  outDir: string | undefined;
  /** In place of the environment's. */
  settings: Record<string, string>;
}

function readArguments(): Arguments {
  const text = { type: "string" } as const;
  const flag = { type: "boolean" } as const;
  const ours = { out: text, help: flag, once: flag };
  const runpods = {
    test_input: text,
    rp_serve_api: flag,
    rp_api_host: text,
    rp_api_port: text,
    rp_api_concurrency: text,
  };
  const { positionals, values } = orExit(() => parseArgs({ allowPositionals: true, options: { ...ours, ...runpods } }));
  const [given = "serve", payload] = positionals;
  if (values.help) {
    process.stdout.write(`${USAGE}\n`);
    process.exit(0);
  }
  const isKnown = given === "serve" || given === "check" || (given === "invoke" && payload !== undefined);
  if (!isKnown) exitWith(USAGE);
  const { test_input: job, rp_serve_api: isLocalApi, rp_api_host: host, rp_api_port: port } = values;
  const settings = {
    ...(isLocalApi && { HANDLER_MODE: "runpod-api" }),
    ...(host !== undefined && { RUNPOD_API_HOST: host }),
    ...(port !== undefined && { RUNPOD_API_PORT: port }),
  };
  const isTest = job !== undefined || values.once === true;
  return { command: isTest ? "test-input" : given, file: isTest ? job : payload, outDir: values.out, settings };
}

/** What the person at the command line did wrong is told without a stack trace. */
function orExit<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    return exitWith((error as Error).message);
  }
}

function exitWith(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}
