/** ControlNet units as what a pass of a generation needs: model, weight, and the map in its size. */
import type { Catalogue } from "../../../../runtime/comfyui/catalogue.ts";
import { EndpointError } from "../../../../runtime/errors.ts";
import type { InputFile } from "../../../../runtime/input-files.ts";
import { type Control, type ControlMap, SOFT_CONTROL } from "../../../../workflows/controlnet.ts";
import type { Size } from "../../../pictures/raster.ts";
import { controlNetName, findControlNet } from "./models.ts";
import { type DrawnMap, drawMap, readUnitPicture, type Start } from "./pictures.ts";
import { CONTROL_MODES, UNION_TYPES } from "./unit-fields.ts";
import type { ControlUnit } from "./units.ts";

/** What a request draws: pixels of its passes, and where it starts. */
export interface ControlledGeneration {
  first: Size;
  /** Of hires fix. */
  second?: Size;
  /** Of img2img. */
  start?: Start;
  /** Which of two models A1111 would control then is not clear. */
  isRefined: boolean;
}

export interface Controls {
  first: Control[];
  second: Control[];
  /** Those that the answer shows, after the pictures. */
  shownMaps: ControlMap[];
  inputs: InputFile[];
  /** What is done otherwise than in A1111. */
  warnings: string[];
}

const [BALANCED, , CONTROL_FIRST] = CONTROL_MODES;

/** @throws EndpointError `unknown_model`, `invalid_request`, `unsupported_feature`. */
export async function readControls(
  units: readonly ControlUnit[],
  { first, second, start, isRefined }: ControlledGeneration,
  catalogue: Catalogue,
): Promise<Controls> {
  if (isRefined && units.length > 0)
    throw new EndpointError(
      "unsupported_feature",
      "refiner_checkpoint: a refiner beside ControlNet units is not available; leave one of them out",
      { details: { field: "refiner_checkpoint" } },
    );
  const controls: Controls = { first: [], second: [], shownMaps: [], inputs: [], warnings: [] };
  for (const unit of units) {
    const control = controlOf(unit, catalogue);
    const picture = await readUnitPicture(unit, start, first);
    const { hr_option, save_detected_map } = unit.fields;
    const draw = async (canvas: Size, resolutionCanvas: Size) => {
      const drawn = await drawMap(unit, picture, canvas, resolutionCanvas);
      keep(controls, unit, drawn, save_detected_map);
      return drawn.map;
    };
    // The extension shows the larger map first.
    const hiresMap = second && (await draw(second, first));
    const map = await draw(first, first);
    if (second === undefined || hr_option !== "High res only") controls.first.push({ ...control, map });
    if (hiresMap && hr_option !== "Low res only")
      controls.second.push({
        ...control,
        isSoft: softInHires(unit, control, catalogue, controls.warnings),
        map: hiresMap,
      });
  }
  controls.warnings = [...new Set(controls.warnings)];
  return controls;
}

function keep(controls: Controls, { field }: ControlUnit, { map, input, warnings }: DrawnMap, isShown: boolean): void {
  controls.inputs.push(input);
  controls.warnings.push(...warnings.map((warning) => `${field}: ${warning}`));
  if (isShown) controls.shownMaps.push(map);
}

function controlOf({ field, fields }: ControlUnit, catalogue: Catalogue): Omit<Control, "map"> {
  const isSoft = fields.control_mode !== BALANCED;
  if (isSoft && !catalogue.has(SOFT_CONTROL))
    throw new EndpointError(
      "unsupported_feature",
      `${field}.control_mode: '${fields.control_mode}' needs the node ${SOFT_CONTROL}, which this ComfyUI has not; "${BALANCED}" is available`,
      { details: { field: `${field}.control_mode`, available: [BALANCED] } },
    );
  const model = findControlNet(`${field}.model`, fields.model, catalogue);
  const unionType = UNION_TYPES[fields.union_control_type];
  return {
    model,
    ...(unionType !== undefined && { unionType }),
    weight: fields.weight,
    window: { start: fields.guidance_start, end: fields.guidance_end },
    isSoft,
    isPositiveOnly: fields.control_mode === CONTROL_FIRST || isShuffle(model),
  };
}

/** Their control is one mean value a channel, which the extension keeps from the negative prompt. */
const isShuffle = (model: string) => /_shuffle(_fp16)?$/.test(controlNetName(model));

/** In the second pass of hires fix the extension weighs the layers of thin lines in every control mode. */
function softInHires(
  { field, preprocessor }: ControlUnit,
  { isSoft }: Omit<Control, "map">,
  catalogue: Catalogue,
  warnings: string[],
): boolean {
  if (isSoft || preprocessor.name !== "canny") return isSoft;
  if (catalogue.has(SOFT_CONTROL)) return true;
  warnings.push(`${field}: the second pass of hires fix takes the whole weight in every layer, where A1111 lowers it`);
  return false;
}
