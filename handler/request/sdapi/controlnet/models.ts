/** ControlNet models by the names that sd-webui-controlnet gives them. */
import type { Catalogue } from "../../../../runtime/comfyui/catalogue.ts";
import { EndpointError } from "../../../../runtime/errors.ts";

export const controlNetFiles = (catalogue: Catalogue): string[] =>
  catalogue.choices("ControlNetLoader", "control_net_name");

/** `control_v11p_sd15_canny` of a file, which the extension shows with a hash behind it. */
export const controlNetName = (file: string) =>
  file
    .split("/")
    .at(-1)!
    .replace(/\.[^.]+$/, "");

/**
 * By its name or its file's, with or without hash and in any case; else the shortest name that it is a part of (the extension's rule).
 * @throws EndpointError `unknown_model` with all there are.
 */
export function findControlNet(field: string, title: string, catalogue: Catalogue): string {
  const files = controlNetFiles(catalogue);
  const wanted = title
    .replace(/ \[[0-9a-f]+\]$/i, "")
    .replaceAll("\\", "/")
    .toLowerCase();
  const found =
    files.find((file) => [file, controlNetName(file)].some((name) => name.toLowerCase() === wanted)) ??
    files
      .toSorted((a, b) => controlNetName(a).length - controlNetName(b).length)
      .find((file) => controlNetName(file).toLowerCase().includes(wanted));
  if (found !== undefined) return found;
  const available = files.map(controlNetName);
  const list = available.length > 0 ? available.join(", ") : "none";
  throw new EndpointError("unknown_model", `${field}: model not found: ${title}; there are: ${list}`, {
    details: { field, available },
  });
}
