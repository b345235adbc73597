/** sd-webui-controlnet's preprocessors as far as they are available here, by its names, with its sliders. */
import { EndpointError } from "../../../../runtime/errors.ts";

export interface Slider {
  /** As the extension's web page shows it; null: it shows none, and the value has no effect. */
  label: string | null;
  min: number;
  max: number;
  step: number;
  value: number;
}

export interface Preprocessor {
  name: string;
  /** Another name that is taken too. */
  label: string;
  /** Control types that offer it. */
  types: readonly string[];
  resolution: Slider;
  thresholdA: Slider;
  thresholdB: Slider;
}

const RESOLUTION: Slider = { label: "Resolution", min: 64, max: 2048, step: 8, value: 512 };
const UNUSED: Slider = { label: null, min: 0, max: 1, step: 0.01, value: 0.5 };
const edge = (label: string, value: number): Slider => ({ label, min: 1, max: 255, step: 1, value });

/** In the extension's order. */
export const PREPROCESSORS = [
  {
    name: "none",
    label: "none",
    types: ["InstructP2P"],
    resolution: RESOLUTION,
    thresholdA: UNUSED,
    thresholdB: UNUSED,
  },
  {
    name: "tile_resample",
    label: "tile_resample",
    types: ["Tile"],
    resolution: RESOLUTION,
    thresholdA: { label: "Down Sampling Rate", min: 1, max: 8, step: 0.01, value: 1 },
    thresholdB: UNUSED,
  },
  {
    name: "canny",
    label: "canny",
    types: ["Canny"],
    resolution: RESOLUTION,
    thresholdA: edge("Low Threshold", 100),
    thresholdB: edge("High Threshold", 200),
  },
  {
    name: "invert",
    label: "invert (from white bg & black line)",
    types: ["Canny", "Lineart", "Scribble", "MLSD"],
    resolution: { ...RESOLUTION, label: null },
    thresholdA: UNUSED,
    thresholdB: UNUSED,
  },
] as const satisfies readonly Preprocessor[];

export type PreprocessorName = (typeof PREPROCESSORS)[number]["name"];

/** @throws EndpointError `unsupported_feature` that says which there are. */
export function findPreprocessor(field: string, module: string): Preprocessor & { name: PreprocessorName } {
  const found = PREPROCESSORS.find(({ name, label }) =>
    [name, label].some((known) => known.toLowerCase() === module.toLowerCase()),
  );
  if (found) return found;
  const available = PREPROCESSORS.map(({ name }) => name);
  throw new EndpointError(
    "unsupported_feature",
    `${field}: the preprocessor '${module}' is not available; send a picture that went through it, with module "none" (there are: ${available.join(", ")})`,
    { details: { field, available } },
  );
}

/** What the extension takes instead of a value that no slider can have. */
export const sliderValue = ({ min, max, value }: Slider, given: number): number =>
  given < min || given > max ? value : given;
