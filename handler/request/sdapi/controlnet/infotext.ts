/** What ControlNet units add to `info` and infotexts: sd-webui-controlnet, scripts/infotext.py. */
import { PythonFloat } from "../../../infotext/python.ts";
import type { Parameters } from "../../../infotext/write.ts";
import type { ControlUnit } from "./units.ts";

/** `ControlNet 0`, `ControlNet 1` ..., counting the units that are on. */
export const controlParameters = (units: readonly ControlUnit[]): Parameters =>
  Object.fromEntries(units.map((unit, index) => [`ControlNet ${index}`, describeUnit(unit)]));

function describeUnit({ fields, preprocessor, processorRes, thresholdA, thresholdB }: ControlUnit): string {
  /** What was sent is a float; a preprocessor's own value stands as it is in the extension's table. */
  const threshold = (used: number, sent: number) => (used === sent ? new PythonFloat(used) : used);
  const isFractional = preprocessor.name === "tile_resample";
  const thresholdOf = (used: number, sent: number) => (isFractional ? new PythonFloat(used) : threshold(used, sent));
  const values = {
    Module: fields.module,
    Model: fields.model,
    Weight: new PythonFloat(fields.weight),
    "Resize Mode": fields.resize_mode,
    "Processor Res": processorRes,
    "Threshold A": thresholdOf(thresholdA, fields.threshold_a),
    "Threshold B": threshold(thresholdB, fields.threshold_b),
    "Guidance Start": new PythonFloat(fields.guidance_start),
    "Guidance End": new PythonFloat(fields.guidance_end),
    "Pixel Perfect": fields.pixel_perfect ? "True" : "False",
    "Control Mode": fields.control_mode,
  };
  const entries = Object.entries(values).map(([label, value]) => [label, String(value)] as const);
  // The extension writes nothing rather than what it could not read again.
  if (entries.some(([, value]) => /[,:]/.test(value))) return "";
  return entries.map(([label, value]) => `${label}: ${value}`).join(", ");
}
