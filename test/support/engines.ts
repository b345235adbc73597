/** The engine under test in this process: the emulator, unless the run names a real one. */
import { Engines } from "../../runtime/engines.ts";
import { planEngines } from "../../runtime/launch.ts";
import { Supervisor } from "../../runtime/supervisor.ts";
import { engineEnvironment } from "./endpoint.ts";

/** For `beforeAll`: fills in the one engine, and returns what ends it. */
export async function sharedEngines(use: (engines: Engines) => void): Promise<() => Promise<void>> {
  const { COMFYUI_COMMAND, COMFYUI_ARGS: _, ...env } = engineEnvironment();
  const [plan] = await planEngines({
    home: undefined,
    command: COMFYUI_COMMAND === undefined ? undefined : (JSON.parse(COMFYUI_COMMAND) as string[]),
    urls: undefined,
    gpus: [],
    emulator: COMFYUI_COMMAND === undefined,
    args: [],
    python: undefined,
    port: 0,
    dataDir: undefined,
    inputDir: undefined,
    outputDir: undefined,
    env: { ...process.env, ...env },
  });
  const supervisor = new Supervisor(plan!, {
    maxRestarts: 0,
    startStallMs: 300_000,
    interruptGraceMs: 1000,
    warmUp: async () => {},
    onLine: () => {},
  });
  use(new Engines([{ plan: plan!, supervisor }]));
  return async () => {
    await supervisor.stop();
    plan!.cleanUp();
  };
}
