/** The one entry: starts the engine first, then everything else while it boots. */
import { parseArgs } from "node:util";
import { planEngines } from "../runtime/launch.ts";
import { Supervisor } from "../runtime/supervisor.ts";
import { loadConfig } from "./config.ts";
import { createLogger, logEngineLine } from "./log.ts";

const USAGE = `usage: comfy-endpoint [serve]                     answer HTTP requests (the default)
       comfy-endpoint invoke FILE [--out DIR]   run one payload (- is stdin), print the result
       comfy-endpoint check                     print the settings and what the engine offers`;

const { command, file, outDir } = readArguments();
const config = orExit(loadConfig);
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
  log.fatal({ err: error }, error.message);
  return 1;
});
process.exit(code);

function readArguments(): { command: string; file: string | undefined; outDir: string | undefined } {
  const { positionals, values } = orExit(() =>
    parseArgs({ allowPositionals: true, options: { out: { type: "string" }, help: { type: "boolean" } } }),
  );
  const [given = "serve", payload] = positionals;
  if (values.help) {
    process.stdout.write(`${USAGE}\n`);
    process.exit(0);
  }
  const isKnown = given === "serve" || given === "check" || (given === "invoke" && payload !== undefined);
  if (!isKnown) exitWith(USAGE);
  return { command: given, file: payload, outDir: values.out };
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
