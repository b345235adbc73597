/** The networks that a prompt's tags ask for: LoRAs and hypernetworks. */
import type { Catalogue } from "../../../runtime/comfyui/catalogue.ts";
import { EndpointError } from "../../../runtime/errors.ts";
import { type NetworkTag, readLoraTag, takeNetworkTags } from "../../../workflows/extra-networks.ts";
import type { LoadedLora, Models } from "../../../workflows/models.ts";
import { parseFloatText } from "../../../workflows/python-text.ts";
import type { Inventory } from "../request.ts";
import { findLora } from "./loras.ts";
import { findNamed, leftOut, unknownModel } from "./model-names.ts";
import type { Notes } from "./notes.ts";

export type Networks = Pick<Models, "loras" | "hypernetworks">;

/**
 * The networks that a prompt's tags ask for. As A1111, it takes tags of other kinds away without a word.
 * @throws EndpointError `unknown_model`, `invalid_request`, `unsupported_feature`.
 */
export async function takeNetworks(
  field: string,
  prompt: string,
  inventory: Inventory,
  notes: Notes,
): Promise<{ text: string; networks: Networks }> {
  const { text, tags } = takeNetworkTags(prompt);
  // One after the other, so that what is said of them has their order.
  const each = async <T>(kinds: string[], find: (tag: NetworkTag) => Promise<T>): Promise<T[]> => {
    const found: T[] = [];
    for (const tag of tags.filter(({ kind }) => kinds.includes(kind)))
      found.push(
        ...(await notes.orElseAsync(
          async () => [await find(tag)],
          () => [],
          leftOut,
        )),
      );
    return found;
  };
  return {
    text,
    networks: {
      loras: await each(["lora", "lyco"], (tag) => loraOf(field, tag, inventory)),
      hypernetworks: await each(["hypernet"], async (tag) => hypernetworkOf(field, tag, inventory.catalogue)),
    },
  };
}

/** ComfyUI's bounds. */
const MAX_LORA_STRENGTH = 100;
const MAX_HYPERNETWORK_STRENGTH = 10;

async function loraOf(field: string, tag: NetworkTag, inventory: Inventory): Promise<LoadedLora> {
  const use = readLoraTag(tag);
  if ("problem" in use) throw wrongTag(field, tag, use.problem);
  if (use.dynamicRank !== undefined)
    throw new EndpointError("unsupported_feature", `${field}: ${tag.tag}: a dynamic rank (dyn) is not available`, {
      details: { field },
    });
  const { name, textEncoder, unet } = use;
  if (![textEncoder, unet].every((strength) => Math.abs(strength) <= MAX_LORA_STRENGTH))
    throw wrongTag(field, tag, `its strength must be from -${MAX_LORA_STRENGTH} to ${MAX_LORA_STRENGTH}`);
  return { file: await findLora(field, name, inventory), mention: name, textEncoder, unet };
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
  const file = findNamed(name, hypernetworks);
  if (file === undefined) throw unknownModel(field, `hypernetwork not found: ${name}`, hypernetworks);
  return { file, strength };
}

function wrongTag(field: string, { tag }: NetworkTag, problem: string): EndpointError {
  return new EndpointError("invalid_request", `${field}: ${tag}: ${problem}`, { details: { field } });
}
