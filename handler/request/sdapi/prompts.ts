/** The prompts of a request: as they are written, and without what names networks. */
import type { Catalogue } from "../../../runtime/comfyui/catalogue.ts";
import { stripComments, takeNetworkTags } from "../../../workflows/extra-networks.ts";
import type { Prompts } from "../../../workflows/generation.ts";
import { findLora, leftOut, type Networks, takeNetworks } from "./model-names.ts";
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
export function takePromptNetworks(
  { fields, extensions, notes }: SdapiRequest,
  written: Prompts,
  field: string,
  catalogue: Catalogue,
): { prompts: Prompts; networks: Networks } {
  if (fields.disable_extra_networks) {
    const { text } = takeNetworkTags(written.positive);
    return { prompts: { ...written, positive: text }, networks: { loras: [], hypernetworks: [] } };
  }
  const { text, networks } = takeNetworks(field, written.positive, catalogue, notes);
  const listed = (extensions.loras ?? []).flatMap(({ name, strength_model, strength_clip }) => {
    const file = notes.orElse(
      () => [findLora("loras", name, catalogue)],
      () => [],
      leftOut,
    );
    return file.map((file) => ({ file, unet: strength_model, textEncoder: strength_clip ?? strength_model }));
  });
  return {
    prompts: { ...written, positive: text },
    networks: { ...networks, loras: [...listed, ...networks.loras] },
  };
}
