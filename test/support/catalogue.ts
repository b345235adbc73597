/** The catalogue that a real ComfyUI 0.33.0 gave, without a server. */
import { readFileSync } from "node:fs";
import type { Inventory } from "../../handler/request/request.ts";
import { Catalogue } from "../../runtime/comfyui/catalogue.ts";
import { createClient } from "../../runtime/comfyui/client.ts";
import { OWN_CLASSES } from "../../runtime/emulator/own-classes.ts";
import { ModelFiles } from "../../runtime/model-files.ts";

const objectInfo = JSON.parse(
  readFileSync(new URL("../../runtime/emulator/object_info.json", import.meta.url), "utf8"),
) as Record<string, unknown>;

/** Choices of inputs by node class, where they matter. */
type Choices = Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;

/** ComfyUI's nodes alone, or ours too. */
type Nodes = "core" | "own";

/** @param checkpoints what CheckpointLoaderSimple offers, where it matters. */
export function loadCatalogue(
  checkpoints?: readonly string[],
  choices: Choices = {},
  nodes: Nodes = "core",
): Promise<Catalogue> {
  const all = { ...choices, ...(checkpoints && { CheckpointLoaderSimple: { ckpt_name: checkpoints } }) };
  const replaced = Object.entries(all).map(([classType, inputs]) => [
    classType,
    { input: { required: Object.fromEntries(Object.entries(inputs).map(([name, names]) => [name, [names]])) } },
  ]);
  return Catalogue.load({
    ...createClient("http://unused.invalid"),
    objectInfo: async () => ({ ...objectInfo, ...(nodes === "own" && OWN_CLASSES), ...Object.fromEntries(replaced) }),
    embeddings: async () => ["tiny-embedding"],
  });
}

/** That catalogue, on a worker whose model files are not on a disk of ours. */
export const loadInventory = async (checkpoints?: readonly string[], nodes: Nodes = "core"): Promise<Inventory> => ({
  catalogue: await loadCatalogue(checkpoints, {}, nodes),
  models: new ModelFiles(() => ({})),
  isFresh: true,
});
