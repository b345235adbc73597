/** ControlNet units as what a pass of a generation needs: model, weight, and the map in its size. */
import type { Catalogue } from "../../../../runtime/comfyui/catalogue.ts";
import { EndpointError } from "../../../../runtime/errors.ts";
import type { InputFile } from "../../../../runtime/input-files.ts";
import { type Control, type ControlMap, SOFT_CONTROL } from "../../../../workflows/controlnet.ts";
import type { Size } from "../../../pictures/raster.ts";
import type { Notes } from "../notes.ts";
import { controlNetName, findControlNet } from "./models.ts";
import { drawMap, readUnitPicture, type Start } from "./pictures.ts";
import { CONTROL_MODES, UNION_TYPES } from "./unit-fields.ts";
import { type ControlUnit, unitLeftOut } from "./units.ts";

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
  /** Those that are drawn with: in lenient mode perhaps not all. */
  units: ControlUnit[];
}

const withRefiner = () =>
  new EndpointError(
    "unsupported_feature",
    "refiner_checkpoint: a refiner beside ControlNet units is not available; leave one of them out",
    { details: { field: "refiner_checkpoint" } },
  );

const [BALANCED, , CONTROL_FIRST] = CONTROL_MODES;

/**
 * @param notes are told what is done otherwise than in A1111.
 * @throws EndpointError `unknown_model`, `invalid_request`, `unsupported_feature`.
 */
export async function readControls(
  units: readonly ControlUnit[],
  { first, second, start, isRefined }: ControlledGeneration,
  { catalogue, notes }: { catalogue: Catalogue; notes: Notes },
): Promise<Controls> {
  const controls: Controls = { first: [], second: [], shownMaps: [], inputs: [], units: [] };
  if (isRefined && units.length > 0) {
    notes.refuse(withRefiner(), "the units are left out");
    return controls;
  }
  const readUnit = async (unit: ControlUnit) => ({
    control: controlOf(unit, catalogue, notes),
    picture: await readUnitPicture(unit, start, first),
  });
  for (const unit of units) {
    const read = await notes.orElseAsync(
      () => readUnit(unit),
      () => undefined,
      unitLeftOut,
    );
    if (read === undefined) continue;
    const { control, picture } = read;
    controls.units.push(unit);
    const { hr_option, save_detected_map } = unit.fields;
    const draw = async (canvas: Size, resolutionCanvas: Size) => {
      const drawn = await drawMap(unit, picture, canvas, resolutionCanvas);
      controls.inputs.push(drawn.input);
      for (const warning of drawn.warnings) notes.add(`${unit.field}: ${warning}`);
      if (save_detected_map) controls.shownMaps.push(drawn.map);
      return drawn.map;
    };
    // The extension shows the larger map first.
    const hiresMap = second && (await draw(second, first));
    const map = await draw(first, first);
    if (second === undefined || hr_option !== "High res only") controls.first.push({ ...control, map });
    if (hiresMap && hr_option !== "Low res only")
      controls.second.push({
        ...control,
        isSoft: softInHires(unit, control, catalogue, notes),
        map: hiresMap,
      });
  }
  return controls;
}

function controlOf({ field, fields }: ControlUnit, catalogue: Catalogue, notes: Notes): Omit<Control, "map"> {
  const wantsSoft = fields.control_mode !== BALANCED;
  const isSoft = wantsSoft && catalogue.has(SOFT_CONTROL);
  if (wantsSoft && !isSoft)
    notes.refuse(
      new EndpointError(
        "unsupported_feature",
        `${field}.control_mode: '${fields.control_mode}' needs the node ${SOFT_CONTROL}, which this ComfyUI has not; "${BALANCED}" is available`,
        { details: { field: `${field}.control_mode`, available: [BALANCED] } },
      ),
      "every layer has the whole weight",
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
  notes: Notes,
): boolean {
  if (isSoft || preprocessor.name !== "canny") return isSoft;
  if (catalogue.has(SOFT_CONTROL)) return true;
  notes.add(`${field}: the second pass of hires fix takes the whole weight in every layer, where A1111 lowers it`);
  return false;
}
