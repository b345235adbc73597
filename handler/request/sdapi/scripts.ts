/** A1111's `alwayson_scripts`: none but ControlNet is available, but many clients send some that are switched off. */
import { EndpointError } from "../../../runtime/errors.ts";
import { isControlnet } from "./controlnet/units.ts";

/** Built-in scripts that do nothing when they are called over A1111's API, or nothing without arguments. */
const IDLE = ["refiner", "seed", "sampler", "comments", "extra options", "hypertile"];

/** @throws EndpointError `unsupported_feature` for a script that is switched on. */
export function refuseScripts(scripts: Record<string, unknown>): void {
  for (const [title, script] of Object.entries(scripts)) {
    if (isControlnet(title) || isOff(script) || IDLE.includes(title.toLowerCase())) continue;
    throw new EndpointError("unsupported_feature", `alwayson_scripts: Script '${title}' not found`, {
      details: { field: "alwayson_scripts", script: title },
    });
  }
}

function isOff(script: unknown): boolean {
  if (script === null || (Array.isArray(script) && script.length === 0)) return true;
  if (typeof script !== "object") return false;
  const args = (script as { args?: unknown }).args ?? [];
  if (!Array.isArray(args)) return false;
  const [first] = args as unknown[];
  return first === false || first === "false" || args.every(isDisabledUnit);
}

const isDisabledUnit = (unit: unknown) =>
  unit === null || unit === false || (typeof unit === "object" && (unit as { enabled?: unknown }).enabled === false);
