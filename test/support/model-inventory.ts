/** A worker with real model files: ComfyUI's lists name them, and they lie on disk. */
import { readFileSync } from "node:fs";
import type { Inventory } from "../../handler/request/request.ts";
import { Catalogue } from "../../runtime/comfyui/catalogue.ts";
import { createClient } from "../../runtime/comfyui/client.ts";
import { OWN_CLASSES } from "../../runtime/emulator/own-classes.ts";
import { modelFolder } from "./model-folder.ts";

type Info = Record<string, { input: { required: Record<string, unknown[]> } }>;

const objectInfo = {
  ...JSON.parse(readFileSync(new URL("../../runtime/emulator/object_info.json", import.meta.url), "utf8")),
  ...OWN_CLASSES,
} as Info;

/** The inputs of ComfyUI's nodes that list a folder. */
const LISTS: Readonly<Record<string, readonly (readonly [node: string, input: string])[]>> = {
  checkpoints: [["CheckpointLoaderSimple", "ckpt_name"]],
  diffusion_models: [["UNETLoader", "unet_name"]],
  text_encoders: [
    ["CLIPLoader", "clip_name"],
    ["DualCLIPLoader", "clip_name1"],
    ["DualCLIPLoader", "clip_name2"],
    ["TripleCLIPLoader", "clip_name1"],
    ["TripleCLIPLoader", "clip_name2"],
    ["TripleCLIPLoader", "clip_name3"],
  ],
  vae: [["VAELoader", "vae_name"]],
  loras: [["LoraLoader", "lora_name"]],
};

/**
 * @param files by `folder/name`.
 * @param isOurs whether their disk is ours to read.
 */
export async function inventoryOf(
  files: Readonly<Record<string, string | Buffer>>,
  isOurs = true,
): Promise<Inventory & { root: string }> {
  const info = structuredClone(objectInfo);
  const namesIn = (folder: string) =>
    Object.keys(files)
      .filter((path) => path.startsWith(`${folder}/`))
      .map((path) => path.slice(folder.length + 1));
  for (const [folder, inputs] of Object.entries(LISTS))
    for (const [node, input] of inputs) info[node]!.input.required[input] = [namesIn(folder)];
  const embeddings = namesIn("embeddings").map((name) => name.replace(/\.[^.]+$/, ""));
  const catalogue = await Catalogue.load({
    ...createClient("http://unused.invalid"),
    objectInfo: async () => info,
    embeddings: async () => embeddings,
  });
  return { catalogue, isFresh: true, ...modelFolder(isOurs ? files : {}) };
}
