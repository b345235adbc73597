/** A1111's upscalers of pictures, by its names, and the model files that this worker has for them. */
import type { Link } from "../runtime/comfyui/graph.ts";
import { EndpointError } from "../runtime/errors.ts";
import type { GraphBuilder } from "./builder.ts";

export interface UpscaleModel {
  /** As UpscaleModelLoader lists it. */
  file: string;
  /** As A1111 shows it. */
  name: string;
  /** How many times larger one run makes a picture; undefined where its name does not tell. */
  factor: number | undefined;
}

interface ListedUpscaleModel extends UpscaleModel {
  /** What A1111's list says of it. */
  scale: number;
  isRealEsrgan: boolean;
}

/** A1111's titles of models whose files are called otherwise; the files as their authors published them, and as A1111 stores them. */
interface Title {
  name: string;
  stems: readonly string[];
  scale: number;
  /** Where it is not the scale that A1111 tells. */
  factor?: number;
  isRealEsrgan?: true;
}

const TITLES: readonly Title[] = [
  { name: "DAT x2", stems: ["DAT_x2"], scale: 2 },
  { name: "DAT x3", stems: ["DAT_x3"], scale: 3 },
  { name: "DAT x4", stems: ["DAT_x4"], scale: 4 },
  { name: "ESRGAN_4x", stems: ["ESRGAN_4x", "ESRGAN"], scale: 4 },
  { name: "R-ESRGAN General 4xV3", stems: ["realesr-general-x4v3"], scale: 4, isRealEsrgan: true },
  { name: "R-ESRGAN General WDN 4xV3", stems: ["realesr-general-wdn-x4v3"], scale: 4, isRealEsrgan: true },
  { name: "R-ESRGAN AnimeVideo", stems: ["realesr-animevideov3"], scale: 4, isRealEsrgan: true },
  { name: "R-ESRGAN 4x+", stems: ["RealESRGAN_x4plus"], scale: 4, isRealEsrgan: true },
  { name: "R-ESRGAN 4x+ Anime6B", stems: ["RealESRGAN_x4plus_anime_6B"], scale: 4, isRealEsrgan: true },
  { name: "R-ESRGAN 2x+", stems: ["RealESRGAN_x2plus"], scale: 2, isRealEsrgan: true },
  // They take noise away and leave the size to Lanczos.
  { name: "ScuNET GAN", stems: ["scunet_color_real_gan", "ScuNET GAN"], scale: 4, factor: 1 },
  { name: "ScuNET PSNR", stems: ["scunet_color_real_psnr", "ScuNET PSNR"], scale: 4, factor: 1 },
  {
    name: "SwinIR 4x",
    stems: ["003_realSR_BSRGAN_DFOWMFC_s64w8_SwinIR-L_x4_GAN", "SwinIR_4x", "SwinIR 4x"],
    scale: 4,
  },
];

/** A1111's upscalers that need no model, in its order; `None` leaves a picture as it is. */
export const PLAIN_UPSCALERS: readonly string[] = ["None", "Lanczos", "Nearest"];
/** A1111's scale of whatever tells none. */
export const USUAL_SCALE = 4;
/** `4x-UltraSharp`, `BSRGANx2`, `RealESRGAN_x2plus_v2`. */
const FACTOR_IN_NAME = /(?<![a-z0-9])(\d)x|x(\d)(?![a-z0-9])|(?<![a-z])x(\d)(?!\d)/i;

const stemOf = (file: string) =>
  file
    .split("/")
    .at(-1)!
    .replace(/\.[^.]+$/, "");
const isSame = (a: string, b: string) => a.toLowerCase() === b.toLowerCase();

/**
 * Names the files of a list as A1111 does: by its own title, else by the file's name.
 * @param files UpscaleModelLoader's list.
 */
export function nameUpscaleModels(files: readonly string[]): ListedUpscaleModel[] {
  return files.map((file) => {
    const stem = stemOf(file);
    const title = TITLES.find(({ stems }) => stems.some((other) => isSame(other, stem)));
    const [, ...factors] = FACTOR_IN_NAME.exec(stem) ?? [];
    const told = title?.scale ?? (Number(factors.find(Boolean) ?? 0) || undefined);
    return {
      name: title?.name ?? stem,
      file,
      scale: told ?? USUAL_SCALE,
      factor: title?.factor ?? told,
      isRealEsrgan: title?.isRealEsrgan ?? /real-?esrgan/i.test(stem),
    };
  });
}

/**
 * @param field whose value the name is.
 * @param name A1111's, or that of the file with or without its extension.
 * @param files UpscaleModelLoader's list.
 * @param others names that are no models and would have been right too.
 * @throws EndpointError `unknown_model` with all there are, `unsupported_feature` for LDSR.
 */
export function findUpscaleModel(
  field: string,
  name: string,
  files: readonly string[],
  others: readonly string[] = PLAIN_UPSCALERS,
): UpscaleModel {
  const models = nameUpscaleModels(files);
  const found =
    models.find((model) => model.name === name) ??
    models.find(({ file }) => [file, stemOf(file)].some((other) => isSame(other, name)));
  if (found) return found;
  if (name === "LDSR")
    throw new EndpointError("unsupported_feature", `${field}: the upscaler LDSR is not available`, {
      details: { field },
    });
  const available = [...others, ...models.map((model) => model.name)];
  throw new EndpointError(
    "unknown_model",
    `${field}: could not find upscaler named ${name}; there are: ${available.join(", ")}`,
    { details: { field, available } },
  );
}

/** A1111 makes sides that are multiples of this. */
const CELL = 8;
/** How often A1111 lets a model enlarge a picture that is not yet large enough. */
const MAX_RUNS = 3;

export interface Enlargement {
  width: number;
  height: number;
  /** How often the upscaler is run; what it made gets its final size by Lanczos. */
  runs: number;
}

/**
 * What A1111's `Upscaler.upscale` (modules/upscaler.py) does to a picture.
 * @param factor of one run of the upscaler; Lanczos and Nearest are run with `scale` itself.
 */
export function enlargement(width: number, height: number, scale: number, factor: number): Enlargement {
  const wanted = {
    width: Math.floor((width * scale) / CELL) * CELL,
    height: Math.floor((height * scale) / CELL) * CELL,
  };
  let runs = 0;
  for (let size = [width, height] as [number, number]; runs < MAX_RUNS; runs++) {
    const isEnough = size[0] >= wanted.width && size[1] >= wanted.height;
    // A picture that keeps its size goes through the upscaler all the same, once.
    if (isEnough && (runs > 0 || scale !== 1)) break;
    // A second run of what leaves the size alone would change nothing.
    if (runs > 0 && factor === 1) break;
    size = [Math.trunc(size[0] * factor), Math.trunc(size[1] * factor)];
  }
  return { ...wanted, runs };
}

/** No model but those that leave the size alone makes a picture less large by one run. */
const SMALLEST_FACTOR = 2;

/**
 * {@link enlargement} by a model.
 * @throws EndpointError `unsupported_feature` where the number of runs depends on a factor that nobody knows without loading the model.
 */
export function modelEnlargement(width: number, height: number, scale: number, model: UpscaleModel): Enlargement {
  const result = enlargement(width, height, scale, model.factor ?? SMALLEST_FACTOR);
  if (model.factor !== undefined || result.runs <= 1) return result;
  throw new EndpointError(
    "unsupported_feature",
    `the upscaler ${model.name} does not tell in its name how many times larger it makes a picture, which counts beyond ${SMALLEST_FACTOR} times; rename its file, as in 4x-${model.name}`,
    { details: { upscaler: model.name } },
  );
}

/** @returns the picture after so many runs of the model. */
export function addModelRuns(builder: GraphBuilder, image: Link, { file }: UpscaleModel, runs: number): Link {
  const upscale_model = builder.share("UpscaleModelLoader", { model_name: file })(0);
  let larger = image;
  for (let run = 0; run < runs; run++)
    larger = builder.share("ImageUpscaleWithModel", { upscale_model, image: larger })(0);
  return larger;
}
