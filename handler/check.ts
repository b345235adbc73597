/** `comfy-endpoint check`: the settings, the engine, what it offers, and what is missing. */
import type { EnginePlan } from "../runtime/launch.ts";
import type { Supervisor } from "../runtime/supervisor.ts";
import { type Config, describeConfig } from "./config.ts";

/** Prints a JSON report; the exit code is 1 when an engine does not come up. */
export async function printCheck(
  config: Config,
  started: readonly { plan: EnginePlan; supervisor: Supervisor }[],
  signal: AbortSignal,
): Promise<0 | 1> {
  const report = {
    settings: describeConfig(config),
    engines: started.map(({ plan: { kind, url, command } }) => ({ kind, url, command })),
  };
  try {
    const serving = await Promise.all(started.map(({ supervisor }) => supervisor.whenServing(signal)));
    const stats = await Promise.all(serving.map(({ link }) => link.client.systemStats()));
    const { system } = stats[0]!;
    const { catalogue } = serving[0]!;
    const models = {
      checkpoints: catalogue.checkpoints,
      loras: catalogue.choices("LoraLoader", "lora_name"),
      vaes: catalogue.choices("VAELoader", "vae_name"),
      controlnets: catalogue.choices("ControlNetLoader", "control_net_name"),
      upscale_models: catalogue.choices("UpscaleModelLoader", "model_name"),
    };
    const missing = catalogue.checkpoints.length === 0 ? ["no checkpoint: A1111 requests will be refused"] : [];
    print({
      ...report,
      comfyui: {
        version: system.comfyui_version,
        devices: stats.flatMap(({ devices }) => devices.map(({ name }) => name)),
        node_classes: catalogue.classTypes.length,
      },
      models,
      missing,
    });
    return 0;
  } catch (error) {
    print({ ...report, missing: [`an engine does not start: ${(error as Error).message}`] });
    return 1;
  }
}

const print = (report: object) => process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
