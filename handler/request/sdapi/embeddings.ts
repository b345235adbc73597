/** Textual inversions: what their files tell of them. */
import type { ModelFiles } from "../../../runtime/model-files.ts";
import type { SafetensorsHeader } from "../../../runtime/safetensors.ts";
import { NETWORK_HASH } from "./loras.ts";

/** ComfyUI's list has names without extensions; it takes them in this order (comfy/sd1_clip.py load_embed). */
const EXTENSIONS = [".safetensors", ".pt", ".bin", ""];

/** An item of A1111's `/embeddings`; null where it cannot be known. */
export async function describeEmbedding(name: string, models: ModelFiles) {
  const file = embeddingFile(name, models);
  const size = file === undefined ? undefined : await models.describe("embeddings", file, readSize);
  return {
    step: null,
    sd_checkpoint: null,
    sd_checkpoint_name: null,
    shape: size?.shape ?? null,
    vectors: size?.vectors ?? null,
  };
}

/** What A1111 writes beside an embedding's name; undefined until it is known. */
export function embeddingHash(name: string, models: ModelFiles): string | undefined {
  const file = embeddingFile(name, models);
  return file === undefined ? undefined : models.sha256("embeddings", file)?.slice(0, NETWORK_HASH);
}

const embeddingFile = (name: string, models: ModelFiles): string | undefined =>
  EXTENSIONS.map((extension) => name + extension).find((file) => models.path("embeddings", file) !== undefined);

/** A1111 tells the width of the vectors; for SDXL's two text encoders the sum. */
function readSize({ shapes }: SafetensorsHeader): { shape: number; vectors: number } | undefined {
  const [l, g] = [sizeOf(shapes.get("clip_l")), sizeOf(shapes.get("clip_g"))];
  if (l && g) return { shape: l.shape + g.shape, vectors: g.vectors };
  return shapes.size === 1 ? sizeOf([...shapes.values()][0]) : undefined;
}

function sizeOf(sides: readonly number[] | undefined): { shape: number; vectors: number } | undefined {
  const shape = sides?.at(-1);
  return shape === undefined ? undefined : { shape, vectors: sides!.length === 1 ? 1 : sides![0]! };
}
