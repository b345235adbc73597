/** The prompts of a request: as they are written, and without what names networks. */
import { stripComments, takeNetworkTags } from "../../../workflows/extra-networks.ts";
import type { Prompts } from "../../../workflows/generation.ts";
import type { LoadedLora } from "../../../workflows/models.ts";
import type { Inventory } from "../request.ts";
import { findLora } from "./loras.ts";
import { leftOut, stemOf } from "./model-names.ts";
import { type Networks, takeNetworks } from "./networks.ts";
import type { SdapiRequest } from "./parse.ts";

/** As A1111's `info` shows a request's prompts: with their styles and tags, without comments. */
export function writtenPrompts({ fields, options, worker }: SdapiRequest, own: Partial<Prompts> = {}): Prompts {
  const strip = (prompt: string) => (options.enable_prompt_comments === false ? prompt : stripComments(prompt));
  const { prompt, negativePrompt } = worker.styles.apply(
    { prompt: own.positive || fields.prompt, negativePrompt: own.negative || fields.negative_prompt },
    fields.styles ?? [],
  );
  return { positive: strip(prompt), negative: strip(negativePrompt) };
}

/**
 * Tags count in the positive prompt only; in the negative one they are text, as in A1111.
 * @param field of the positive prompt, for errors.
 */
export async function takePromptNetworks(
  { fields, extensions, notes }: SdapiRequest,
  written: Prompts,
  field: string,
  inventory: Inventory,
): Promise<{ prompts: Prompts; networks: Networks }> {
  if (fields.disable_extra_networks) {
    const { text } = takeNetworkTags(written.positive);
    return { prompts: { ...written, positive: text }, networks: { loras: [], hypernetworks: [] } };
  }
  const { text, networks } = await takeNetworks(field, written.positive, inventory, notes);
  const listed: LoadedLora[] = [];
  for (const { name, strength_model, strength_clip } of extensions.loras ?? []) {
    const file = await notes.orElseAsync(
      () => findLora("loras", name, inventory),
      () => undefined,
      leftOut,
    );
    if (file === undefined) continue;
    listed.push({ file, mention: stemOf(name), unet: strength_model, textEncoder: strength_clip ?? strength_model });
  }
  return {
    prompts: { ...written, positive: text },
    networks: { ...networks, loras: [...listed, ...networks.loras] },
  };
}
