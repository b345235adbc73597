/** LoRA files by their names and by the aliases that their makers noted: A1111 v1.10.1, extensions-builtin/Lora. */
import type { SafetensorsHeader } from "../../../runtime/safetensors.ts";
import type { Inventory } from "../request.ts";
import { namesExactly, namesLoosely, stemOf, unknownModel } from "./model-names.ts";

/** What a LoRA's maker noted of it, as far as names and hashes go. */
interface LoraNotes {
  alias?: string;
  hash?: string;
}

/** Hexadecimal digits of the hashes of LoRAs and embeddings in infotexts. */
export const NETWORK_HASH = 12;
/** A1111 takes these for no aliases. */
const FORBIDDEN = ["none", "addams"];

/**
 * A file of LoraLoader's list by its name, or by an alias that no other file has.
 * @throws EndpointError `unknown_model` with all there are.
 */
export async function findLora(field: string, name: string, inventory: Inventory): Promise<string> {
  const loras = inventory.catalogue.choices("LoraLoader", "lora_name");
  const found =
    loras.find((file) => namesExactly(name, file)) ??
    (await aliased(name, loras, inventory)) ??
    loras.find((file) => namesLoosely(name, file));
  if (found !== undefined) return found;
  throw unknownModel(field, `Lora not found: ${name}`, loras);
}

async function aliased(name: string, loras: readonly string[], { models }: Inventory): Promise<string | undefined> {
  if (FORBIDDEN.includes(name.toLowerCase())) return undefined;
  const found: string[] = [];
  for (const file of loras) {
    const notes = await models.describe("loras", file, readLoraNotes);
    if (notes?.alias === name) found.push(file);
  }
  return found.length === 1 ? found[0] : undefined;
}

function readLoraNotes({ metadata }: SafetensorsHeader): LoraNotes {
  const { ss_output_name: alias, sshs_model_hash: hash } = metadata;
  return { ...(alias && { alias }), ...(hash && { hash }) };
}

/** What A1111 writes beside a LoRA's name: what its maker noted, else of its tensors; undefined until it is known. */
export async function loraHash(file: string, { models }: Inventory): Promise<string | undefined> {
  const notes = await models.describe("loras", file, readLoraNotes);
  return (notes?.hash ?? models.dataSha256("loras", file))?.slice(0, NETWORK_HASH);
}

/** In this order, before all others. */
const FIRST_NOTES = ["ss_sd_model_name", "ss_resolution", "ss_clip_skip", "ss_num_train_images", "ss_tag_frequency"];

/** An item of A1111's `/loras`. */
export function describeLora(file: string, path: string, header: SafetensorsHeader | undefined) {
  const notes = Object.entries(header?.metadata ?? {});
  const place = (label: string) => (FIRST_NOTES.includes(label) ? FIRST_NOTES.indexOf(label) : FIRST_NOTES.length);
  const metadata = Object.fromEntries(
    notes.toSorted(([a], [b]) => place(a) - place(b)).map(([label, text]) => [label, unpacked(text)]),
  );
  const name = stemOf(file);
  return { name, alias: header?.metadata["ss_output_name"] ?? name, path, metadata };
}

/** Makers write objects as JSON into the texts that notes are. */
function unpacked(text: string): unknown {
  if (!text.startsWith("{")) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
