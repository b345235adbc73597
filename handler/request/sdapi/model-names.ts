/** Model files by the names that A1111's clients call them. */
import type { Catalogue } from "../../../runtime/comfyui/catalogue.ts";
import { EndpointError } from "../../../runtime/errors.ts";
import { type NetworkTag, readLoraTag, takeNetworkTags } from "../../../workflows/extra-networks.ts";
import type { Models } from "../../../workflows/models.ts";
import { parseFloatText } from "../../../workflows/python-text.ts";
import type { Notes } from "./notes.ts";

const CHECKPOINT_OPTION = "override_settings.sd_model_checkpoint";

/** A title (`name.safetensors [hash]`), a model name, or a file name, with or without its extension and folder; none: the first. */
export function findCheckpoint(wanted: unknown, { checkpoints }: Catalogue): string {
  const [first] = checkpoints;
  if (first === undefined) throw new EndpointError("unknown_model", "this worker has no checkpoint");
  if (wanted === undefined || wanted === null || wanted === "") return first;
  const title = typeof wanted === "string" ? wanted : JSON.stringify(wanted);
  const found = fileNamed(withoutHash(title), checkpoints);
  if (found !== undefined) return found;
  throw unknown(CHECKPOINT_OPTION, `model '${title}' not found`, checkpoints);
}

/** As {@link findCheckpoint}; A1111 takes a part of the name for its second checkpoint too, of the shortest name first. */
export function findOtherCheckpoint(field: string, title: string, { checkpoints }: Catalogue): string {
  const name = withoutHash(title);
  const byPart = () =>
    checkpoints.toSorted((a, b) => a.length - b.length).find((file) => file.toLowerCase().includes(name.toLowerCase()));
  const found = fileNamed(name, checkpoints) ?? byPart();
  if (found !== undefined) return found;
  throw unknown(field, `Could not find checkpoint with name ${title}`, checkpoints);
}

/** @returns undefined for the checkpoint's own. */
export function findVae(title: string | undefined, catalogue: Catalogue): string | undefined {
  if (title === undefined || ["", "none", "automatic"].includes(title.toLowerCase())) return undefined;
  const vaes = catalogue.choices("VAELoader", "vae_name");
  const found = fileNamed(withoutHash(title), vaes);
  if (found !== undefined) return found;
  throw unknown("override_settings.sd_vae", `VAE '${title}' not found`, vaes);
}

/** A file of LoraLoader's list, for a tag or a field. */
export function findLora(field: string, name: string, catalogue: Catalogue): string {
  const loras = catalogue.choices("LoraLoader", "lora_name");
  const found = fileNamed(name, loras);
  if (found !== undefined) return found;
  throw unknown(field, `Lora not found: ${name}`, loras);
}

export type Networks = Pick<Models, "loras" | "hypernetworks">;

export const leftOut = () => "it is left out";

/**
 * The networks that a prompt's tags ask for. As A1111, it takes tags of other kinds away without a word.
 * @throws EndpointError `unknown_model`, `invalid_request`, `unsupported_feature`.
 */
export function takeNetworks(
  field: string,
  prompt: string,
  catalogue: Catalogue,
  notes: Notes,
): { text: string; networks: Networks } {
  const { text, tags } = takeNetworkTags(prompt);
  const each = <T>(kinds: string[], find: (field: string, tag: NetworkTag, catalogue: Catalogue) => T): T[] =>
    tags
      .filter(({ kind }) => kinds.includes(kind))
      .flatMap((tag) =>
        notes.orElse(
          () => [find(field, tag, catalogue)],
          () => [],
          leftOut,
        ),
      );
  return {
    text,
    networks: {
      loras: each(["lora", "lyco"], loraOf),
      hypernetworks: each(["hypernet"], hypernetworkOf),
    },
  };
}

/** ComfyUI's bounds. */
const MAX_LORA_STRENGTH = 100;
const MAX_HYPERNETWORK_STRENGTH = 10;

function loraOf(field: string, tag: NetworkTag, catalogue: Catalogue): Networks["loras"][number] {
  const use = readLoraTag(tag);
  if ("problem" in use) throw wrongTag(field, tag, use.problem);
  if (use.dynamicRank !== undefined)
    throw new EndpointError("unsupported_feature", `${field}: ${tag.tag}: a dynamic rank (dyn) is not available`, {
      details: { field },
    });
  const { name, textEncoder, unet } = use;
  if (![textEncoder, unet].every((strength) => Math.abs(strength) <= MAX_LORA_STRENGTH))
    throw wrongTag(field, tag, `its strength must be from -${MAX_LORA_STRENGTH} to ${MAX_LORA_STRENGTH}`);
  return { file: findLora(field, name, catalogue), textEncoder, unet };
}

function hypernetworkOf(field: string, tag: NetworkTag, catalogue: Catalogue): Networks["hypernetworks"][number] {
  const [name = "", number = "1"] = tag.positional;
  const strength = parseFloatText(number);
  if (strength === undefined || !(Math.abs(strength) <= MAX_HYPERNETWORK_STRENGTH))
    throw wrongTag(
      field,
      tag,
      `its strength must be from -${MAX_HYPERNETWORK_STRENGTH} to ${MAX_HYPERNETWORK_STRENGTH}`,
    );
  const hypernetworks = catalogue.choices("HypernetworkLoader", "hypernetwork_name");
  const file = fileNamed(name, hypernetworks);
  if (file === undefined) throw unknown(field, `hypernetwork not found: ${name}`, hypernetworks);
  return { file, strength };
}

const withoutHash = (title: string) => title.replace(/ \[[0-9a-f]+\]$/i, "");

/** The same name before one that differs in case or in the kind of slash. */
function fileNamed(name: string, files: readonly string[]): string | undefined {
  const loose = (text: string) => text.replaceAll("\\", "/").toLowerCase();
  return (
    files.find((file) => namesOf(file).includes(name)) ??
    files.find((file) => namesOf(file).some((other) => loose(other) === loose(name)))
  );
}

function namesOf(file: string): string[] {
  const base = file.split("/").at(-1)!;
  const stems = [file, base].map((name) => name.replace(/\.[^./]+$/, ""));
  return [file, base, ...stems, stems[0]!.replaceAll("/", "_")];
}

function wrongTag(field: string, { tag }: NetworkTag, problem: string): EndpointError {
  return new EndpointError("invalid_request", `${field}: ${tag}: ${problem}`, { details: { field } });
}

function unknown(field: string, message: string, available: readonly string[]): EndpointError {
  const list = available.length > 0 ? available.join(", ") : "none";
  return new EndpointError("unknown_model", `${message}; there are: ${list}`, { details: { field, available } });
}
