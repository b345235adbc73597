/** Checkpoints, and diffusion models without text encoders and VAE, by the names that A1111's clients call them. */
import type { Catalogue } from "../../../runtime/comfyui/catalogue.ts";
import { EndpointError } from "../../../runtime/errors.ts";
import type { ModelFiles } from "../../../runtime/model-files.ts";
import type { Inventory } from "../request.ts";
import { namesExactly, namesLoosely, unknownModel, withoutHash } from "./model-names.ts";

export interface ModelFile {
  /** ComfyUI's folder, and the name in its list. */
  folder: "checkpoints" | "diffusion_models";
  file: string;
}

export const CHECKPOINT_OPTION = "override_settings.sd_model_checkpoint";

/** What `sd_model_checkpoint` may be: checkpoints, then, as in Forge, diffusion models alone. */
export function listCheckpoints(catalogue: Catalogue): ModelFile[] {
  const bare = catalogue.choices("UNETLoader", "unet_name");
  return [
    ...catalogue.checkpoints.map((file) => ({ folder: "checkpoints", file }) as const),
    ...bare.map((file) => ({ folder: "diffusion_models", file }) as const),
  ];
}

/** A1111's title of a model: without the hash where that is not known yet. */
export function titleOf({ folder, file }: ModelFile, models: ModelFiles): string {
  const sha256 = models.sha256(folder, file);
  return sha256 === undefined ? file : `${file} [${sha256.slice(0, SHORT_HASH)}]`;
}

/**
 * By title (`name.safetensors [hash]`), model name, file name with or without extension and folder, or hash; none: the first.
 * @throws EndpointError `unknown_model` with all there are.
 */
export function findCheckpoint(wanted: unknown, inventory: Inventory): ModelFile {
  const all = listCheckpoints(inventory.catalogue);
  const [first] = all;
  if (first === undefined) throw new EndpointError("unknown_model", "this worker has no checkpoint");
  if (wanted === undefined || wanted === null || wanted === "") return first;
  const title = typeof wanted === "string" ? wanted : JSON.stringify(wanted);
  const found = named(title, all, inventory.models);
  if (found !== undefined) return found;
  throw notFound(CHECKPOINT_OPTION, `model '${title}' not found`, title, all);
}

/**
 * As {@link findCheckpoint}; A1111 takes a part of the name for its second checkpoint too, of the shortest name first.
 * @throws EndpointError `unknown_model` with all there are.
 */
export function findOtherCheckpoint(field: string, title: string, inventory: Inventory): ModelFile {
  const all = listCheckpoints(inventory.catalogue);
  const part = withoutHash(title).toLowerCase();
  const byPart = () =>
    all.toSorted((a, b) => a.file.length - b.file.length).find(({ file }) => file.toLowerCase().includes(part));
  const found = named(title, all, inventory.models) ?? byPart();
  if (found !== undefined) return found;
  throw notFound(field, `Could not find checkpoint with name ${title}`, title, all);
}

/** Hexadecimal digits of A1111's short hash of a model. */
export const SHORT_HASH = 10;
const HASH = /^([0-9a-f]{10}|[0-9a-f]{64})$/i;

function named(title: string, all: readonly ModelFile[], models: ModelFiles): ModelFile | undefined {
  const name = withoutHash(title);
  const byName = all.find(({ file }) => namesExactly(name, file)) ?? all.find(({ file }) => namesLoosely(name, file));
  if (byName !== undefined || !HASH.test(title)) return byName;
  return all.find(({ folder, file }) => models.sha256(folder, file)?.startsWith(title.toLowerCase()));
}

function notFound(field: string, message: string, title: string, all: readonly ModelFile[]): EndpointError {
  const hint = HASH.test(title) ? " (the hash of a new file is known some time after it was first asked for)" : "";
  return unknownModel(
    field,
    `${message}${hint}`,
    all.map(({ file }) => file),
  );
}
