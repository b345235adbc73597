/** A1111's scripts: those of a bare installation do nothing or are not available, but many clients send some that are switched off; only ControlNet's and soft inpainting are there. */
import { EndpointError } from "../../../runtime/errors.ts";
import { isControlnet } from "./controlnet/units.ts";
import type { CommonFields } from "./fields.ts";
import type { Notes } from "./notes.ts";
import { isSoftInpainting } from "./soft-inpainting.ts";

/** Built-in scripts that do nothing when they are called over A1111's API, whatever their arguments. */
export const IDLE_SCRIPTS = ["refiner", "seed", "sampler", "comments", "extra options", "hypertile"];

const OF_BOTH = ["Prompt matrix", "Prompts from file or textbox", "X/Y/Z plot", "Custom code"];
/** Those that a request names in `script_name`, in A1111's words. */
export const SELECTABLE_SCRIPTS = {
  txt2img: OF_BOTH,
  img2img: [
    "img2img alternative test",
    "Loopback",
    "Outpainting mk2",
    "Poor man's outpainting",
    "SD upscale",
    ...OF_BOTH,
  ],
};

type Tab = keyof typeof SELECTABLE_SCRIPTS;

/** @throws EndpointError `unsupported_feature`, `invalid_request` for a script that would do something. */
export function refuseScripts(tab: Tab, { script_name, alwayson_scripts }: CommonFields, notes: Notes): void {
  if (script_name !== null && script_name !== "" && script_name !== "None") {
    const title = SELECTABLE_SCRIPTS[tab].find((selectable) => isSame(selectable, script_name));
    notes.refuse(scriptRefusal("script_name", title ?? script_name, title !== undefined));
  }
  for (const [title, script] of Object.entries(alwayson_scripts)) {
    if (SELECTABLE_SCRIPTS[tab].some((selectable) => isSame(selectable, title)))
      throw new EndpointError("invalid_request", "Cannot have a selectable script in the always on scripts params", {
        details: { field: "alwayson_scripts", script: title },
      });
    if (tab === "img2img" && isSoftInpainting(title)) continue;
    if (isControlnet(title) || IDLE_SCRIPTS.includes(title.toLowerCase()) || isOff(script)) continue;
    notes.refuse(scriptRefusal("alwayson_scripts", title, false));
  }
}

const isSame = (title: string, other: string) => title.toLowerCase() === other.toLowerCase();

/** In A1111's words where it would not know the script either. */
export function scriptRefusal(field: string, script: string, isKnown: boolean): EndpointError {
  const message = isKnown ? `Script '${script}' is not available` : `Script '${script}' not found`;
  return new EndpointError("unsupported_feature", message, { details: { field, script } });
}

/** Says so itself: what a script does that is sent without arguments, only the extension knows. */
function isOff(script: unknown): boolean {
  if (script === null) return true;
  if (typeof script !== "object") return false;
  const args = (script as { args?: unknown }).args ?? [];
  if (!Array.isArray(args)) return false;
  const [first] = args as unknown[];
  return first === false || first === "false" || (args.length > 0 && args.every(isDisabledUnit));
}

const isDisabledUnit = (unit: unknown) =>
  unit === null || unit === false || (typeof unit === "object" && (unit as { enabled?: unknown }).enabled === false);
