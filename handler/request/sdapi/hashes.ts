/** Hashes of the models that a picture is drawn with, as A1111's `info` and infotexts tell them; none where it is not known yet. */
import type { Graph } from "../../../runtime/comfyui/graph.ts";
import { markedEmbeddings } from "../../../workflows/comfyui-text.ts";
import type { Models } from "../../../workflows/models.ts";
import type { Parameters } from "../../infotext/write.ts";
import type { Inventory } from "../request.ts";
import { SHORT_HASH } from "./checkpoints.ts";
import { embeddingHash } from "./embeddings.ts";
import { loraHash } from "./loras.ts";
import { stemOf } from "./model-names.ts";

export interface Hashes {
  model: string | null;
  vae: string | null;
  /** Of LoRAs and embeddings, by A1111's labels. */
  networks: Parameters;
}

/**
 * @param passes the models of all passes, the first one first.
 * @param graph that they are drawn by.
 */
export async function readHashes(passes: readonly Models[], graph: Graph, inventory: Inventory): Promise<Hashes> {
  const [first] = passes;
  const loras = passes.flatMap((models) => models.loras);
  const ofLoras = await Promise.all(
    loras.map(async ({ file, mention }) => [mention ?? stemOf(file), await loraHash(file, inventory)] as const),
  );
  const ofEmbeddings = embeddingsIn(graph).map((name) => [name, embeddingHash(name, inventory.models)] as const);
  return {
    model: (first && modelHash(first, inventory)) ?? null,
    vae: (first?.vae && inventory.models.sha256("vae", first.vae)?.slice(0, SHORT_HASH)) ?? null,
    networks: { ...list("Lora hashes", ofLoras), ...list("TI hashes", ofEmbeddings) },
  };
}

/** A1111's short title of a model: its hash is told as soon as it is known. */
export function shortTitle(models: Models, inventory: Inventory): string {
  const hash = modelHash(models, inventory);
  return stemOf(models.checkpoint) + (hash === undefined ? "" : ` [${hash}]`);
}

function modelHash({ checkpoint, isBare }: Models, { models }: Inventory): string | undefined {
  return models.sha256(isBare ? "diffusion_models" : "checkpoints", checkpoint)?.slice(0, SHORT_HASH);
}

/** In the order of the prompts. */
function embeddingsIn(graph: Graph): string[] {
  const texts = Object.values(graph).flatMap(({ inputs }) => [inputs["text"], inputs["text_g"]]);
  const names = texts.filter((text) => typeof text === "string").flatMap(markedEmbeddings);
  return [...new Set(names)];
}

/** Each name once, without what separates them. */
function list(label: string, hashes: readonly (readonly [name: string, hash: string | undefined])[]): Parameters {
  const known = new Map(hashes.map(([name, hash]) => [name.replace(/[:,]/g, ""), hash]));
  const items = [...known].filter(([, hash]) => hash !== undefined).map(([name, hash]) => `${name}: ${hash}`);
  return items.length === 0 ? {} : { [label]: items.join(", ") };
}
