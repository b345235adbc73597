/** Names of model files, as A1111's clients call them. */
import type { Catalogue } from "../../../runtime/comfyui/catalogue.ts";
import { EndpointError } from "../../../runtime/errors.ts";

/** @returns undefined for the checkpoint's own. */
export function findVae(title: string | undefined, catalogue: Catalogue): string | undefined {
  if (title === undefined || ["", "none", "automatic"].includes(title.toLowerCase())) return undefined;
  const vaes = catalogue.choices("VAELoader", "vae_name");
  const found = findNamed(withoutHash(title), vaes);
  if (found !== undefined) return found;
  throw unknownModel("override_settings.sd_vae", `VAE '${title}' not found`, vaes);
}

export const withoutHash = (title: string) => title.replace(/ \[[0-9a-f]+\]$/i, "");

/** A file of a list by a name, an exact one before one that differs in case or in the kind of slash. */
export const findNamed = (name: string, files: readonly string[]): string | undefined =>
  files.find((file) => namesExactly(name, file)) ?? files.find((file) => namesLoosely(name, file));

/** In lenient mode, what becomes of what is not found. */
export const leftOut = () => "it is left out";

/** Whether a file is called so, with or without its extension and folder. */
export const namesExactly = (name: string, file: string): boolean => namesOf(file).includes(name);

const loose = (text: string) => text.replaceAll("\\", "/").toLowerCase();

export const namesLoosely = (name: string, file: string): boolean =>
  namesOf(file).some((other) => loose(other) === loose(name));

export const stemOf = (file: string): string =>
  file
    .split("/")
    .at(-1)!
    .replace(/\.[^./]+$/, "");

function namesOf(file: string): string[] {
  const whole = file.replace(/\.[^./]+$/, "");
  return [file, file.split("/").at(-1)!, whole, stemOf(file), whole.replaceAll("/", "_")];
}

/** The error that tells all there are. */
export function unknownModel(field: string, message: string, available: readonly string[]): EndpointError {
  const list = available.length > 0 ? available.join(", ") : "none";
  return new EndpointError("unknown_model", `${message}; there are: ${list}`, { details: { field, available } });
}
