/** `comfy-endpoint check`: the settings, the engine, what it offers, and what is missing. */
import type { Engine } from "../runtime/engine.ts";
import type { EnginePlan } from "../runtime/launch.ts";
import { type Config, describeConfig } from "./config.ts";

/** Prints a JSON report; the exit code is 1 when the engine does not come up. */
export async function printCheck(
  config: Config,
  plan: EnginePlan,
  engine: Engine,
  signal: AbortSignal,
): Promise<0 | 1> {
  const report = {
    settings: describeConfig(config),
    engine: { kind: plan.kind, url: plan.url, command: plan.command },
  };
  try {
    const { link, catalogue } = await engine.supervisor.whenServing(signal);
    const { system, devices } = await link.client.systemStats();
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
        devices: devices.map(({ name }) => name),
        node_classes: catalogue.classTypes.length,
      },
      models,
      missing,
    });
    return 0;
  } catch (error) {
    print({ ...report, missing: [`the engine does not start: ${(error as Error).message}`] });
    return 1;
  }
}

const print = (report: object) => process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
