/** The catalogue that a real ComfyUI 0.33.0 gave, without a server. */
import { readFileSync } from "node:fs";
import type { Inventory } from "../../handler/request/request.ts";
import { Catalogue } from "../../runtime/comfyui/catalogue.ts";
import { createClient } from "../../runtime/comfyui/client.ts";
import { ModelFiles } from "../../runtime/model-files.ts";

const objectInfo = JSON.parse(
  readFileSync(new URL("../../runtime/emulator/object_info.json", import.meta.url), "utf8"),
) as Record<string, unknown>;

/** @param checkpoints what CheckpointLoaderSimple offers, where it matters. */
export function loadCatalogue(checkpoints?: readonly string[]): Promise<Catalogue> {
  const info =
    checkpoints === undefined
      ? objectInfo
      : { ...objectInfo, CheckpointLoaderSimple: { input: { required: { ckpt_name: [checkpoints] } } } };
  return Catalogue.load({
    ...createClient("http://unused.invalid"),
    objectInfo: async () => info,
    embeddings: async () => ["tiny-embedding"],
  });
}

/** That catalogue, on a worker whose model files are not on a disk of ours. */
export const loadInventory = async (checkpoints?: readonly string[]): Promise<Inventory> => ({
  catalogue: await loadCatalogue(checkpoints),
  models: new ModelFiles(() => ({})),
});
