/** The models that a request is drawn with: which files, and what kind of model they are. */
import type { Catalogue } from "../../../runtime/comfyui/catalogue.ts";
import { EndpointError } from "../../../runtime/errors.ts";
import { detectModel, type FamilyName, type ModelKind, needsPicture } from "../../../workflows/model-family.ts";
import type { Models } from "../../../workflows/models.ts";
import type { Inventory } from "../request.ts";
import { CHECKPOINT_OPTION, findCheckpoint, findOtherCheckpoint, type ModelFile } from "./checkpoints.ts";
import { findNamed, findVae, leftOut, unknownModel } from "./model-names.ts";
import type { Notes } from "./notes.ts";
import type { SdapiRequest } from "./parse.ts";

/** A model and what is loaded with it, without what changes it. */
export type ModelSource = Pick<Models, "checkpoint" | "isBare" | "kind" | "textEncoders" | "vae">;

const MODULES_OPTION = "override_settings.forge_additional_modules";

/** @throws EndpointError `unknown_model`, `unsupported_feature` for a model of a kind that is not available. */
export async function readModelSource(request: SdapiRequest, inventory: Inventory): Promise<ModelSource> {
  const { options, notes } = request;
  const named = (title: unknown) => sourceOf(CHECKPOINT_OPTION, findCheckpoint(title, inventory), request, inventory);
  const modules = findModules(options.forge_additional_modules ?? [], inventory.catalogue, notes);
  const ownVae = () =>
    notes.orElse(
      () => findVae(options.sd_vae, inventory.catalogue),
      () => undefined,
      () => "the checkpoint's own is used",
    );
  const vae = modules.vae ?? ownVae();
  const ofWorker = request.worker.options["sd_model_checkpoint"];
  const source = await notes.orElseAsync(
    async () => await named(options.sd_model_checkpoint || ofWorker),
    () => named(ofWorker),
    ({ checkpoint }) => `${checkpoint} is used`,
  );
  return {
    ...source,
    ...(modules.textEncoders.length > 0 && { textEncoders: modules.textEncoders }),
    ...(vae !== undefined && { vae }),
  };
}

/** The same with another checkpoint: that of the refiner, or of hires fix. @throws as {@link readModelSource}. */
export async function withOtherCheckpoint(
  models: Models,
  other: { field: string; title: string },
  request: SdapiRequest,
  inventory: Inventory,
): Promise<Models> {
  const model = findOtherCheckpoint(other.field, other.title, inventory);
  const source = await sourceOf(other.field, model, request, inventory);
  const { textEncoders, ...rest } = models;
  // Those of another family are of no use to it.
  const isSameFamily = source.kind?.family === models.kind?.family;
  return { ...rest, ...source, ...(textEncoders && isSameFamily && { textEncoders }) };
}

async function sourceOf(
  field: string,
  model: ModelFile,
  request: SdapiRequest,
  { models }: Inventory,
): Promise<{ checkpoint: string; isBare: boolean; kind?: ModelKind }> {
  const isBare = model.folder === "diffusion_models";
  const detected = await models.describe(model.folder, model.file, detectModel);
  const kind = detected === undefined ? claimedKind(request, isBare) : detected;
  if (kind === null) throw unavailable(field, `'${model.file}' is no model that pictures are drawn with here`);
  if (kind === undefined && isBare)
    throw unavailable(
      field,
      `what kind of model '${model.file}' is cannot be read on this engine; say it with override_settings.forge_preset (${Object.keys(PRESETS).join(", ")})`,
    );
  if (kind !== undefined && needsPicture(kind))
    throw unavailable(
      field,
      `'${model.file}' takes ${kind.inputChannels} channels, as instruct-pix2pix models and others do that start from a picture of their own; they are not available`,
    );
  return { checkpoint: model.file, isBare, ...(kind !== undefined && { kind }) };
}

/** Forge's names for what it is set up for. */
const PRESETS: Readonly<Record<string, FamilyName>> = { sd: "sd1", xl: "sdxl", flux: "flux" };

/** What a request says of a model whose file cannot be read. In Forge only Flux has a distilled scale. */
function claimedKind({ options, extensions }: SdapiRequest, isBare: boolean): ModelKind | undefined {
  const preset = PRESETS[options.forge_preset?.toLowerCase() ?? ""];
  const family = preset ?? (isBare && extensions.distilled_cfg_scale !== undefined ? "flux" : undefined);
  if (family === undefined) return undefined;
  const inputChannels = family === "flux" ? 16 : 4;
  return { family, inputChannels, hasTextEncoders: !isBare, hasVae: !isBare };
}

/** Forge's word for those of the first pass. */
const SAME_MODULES = "Use same choices";

/** Forge's `hr_additional_modules`: none are the checkpoint's own. @returns undefined for those of the first pass. */
export function readHiresModules(
  { extensions, notes }: SdapiRequest,
  catalogue: Catalogue,
): Pick<Models, "vae" | "textEncoders"> | undefined {
  const names = extensions.hr_additional_modules;
  if (names === undefined || names.includes(SAME_MODULES)) return undefined;
  const { vae, textEncoders } = findModules(names, catalogue, notes, "hr_additional_modules");
  return { ...(vae !== undefined && { vae }), ...(textEncoders.length > 0 && { textEncoders }) };
}

/** Forge looks at file names only, whatever the folder. @param field for errors. */
function findModules(
  names: readonly string[],
  catalogue: Catalogue,
  notes: Notes,
  field = MODULES_OPTION,
): { vae?: string; textEncoders: string[] } {
  const vaes = catalogue.vaes;
  const encoders = catalogue.choices("CLIPLoader", "clip_name");
  const found: { vae?: string; textEncoders: string[] } = { textEncoders: [] };
  for (const path of names) {
    const name = path.split(/[/\\]/).at(-1)!;
    const vae = findNamed(name, vaes);
    const encoder = vae === undefined ? findNamed(name, encoders) : undefined;
    if (vae !== undefined && found.vae === undefined) found.vae = vae;
    else if (vae !== undefined)
      throw new EndpointError("invalid_request", `${field}: ${found.vae} and ${vae} are both VAEs`, {
        details: { field },
      });
    else if (encoder !== undefined) found.textEncoders.push(encoder);
    else {
      const all = [...vaes, ...encoders];
      notes.refuse(unknownModel(field, `no VAE or text encoder is called '${name}'`, all), leftOut());
    }
  }
  return found;
}

const unavailable = (field: string, message: string) =>
  new EndpointError("unsupported_feature", `${field}: ${message}`, { details: { field } });
