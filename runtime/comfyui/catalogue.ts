/** What the engine can do, as `/object_info` tells it: node classes, their inputs, and the names that a combo offers. */
import type { ComfyClient } from "./client.ts";

interface ClassInfo {
  input?: Partial<Record<"required" | "optional", Record<string, unknown>>>;
  output_node?: boolean;
}

/** Options of an input that takes uploaded files. */
const UPLOADS = ["image_upload", "video_upload", "audio_upload", "file_upload"];

export class Catalogue {
  #classes = new Map<string, ClassInfo>();
  #embeddings: string[] = [];
  readonly #client: ComfyClient;

  private constructor(client: ComfyClient) {
    this.#client = client;
  }

  static async load(client: ComfyClient): Promise<Catalogue> {
    const catalogue = new Catalogue(client);
    await catalogue.reload();
    return catalogue;
  }

  /** Reads everything again; its lists change when files come and go. */
  async reload(): Promise<void> {
    const [classes, embeddings] = await Promise.all([this.#client.objectInfo(), this.#client.embeddings()]);
    this.#classes = new Map(Object.entries(classes as Record<string, ClassInfo>));
    this.#embeddings = embeddings;
  }

  has(classType: string): boolean {
    return this.#classes.has(classType);
  }

  get classTypes(): string[] {
    return [...this.#classes.keys()];
  }

  /** Whether ComfyUI runs a node of this class for its own sake; only what such nodes need is run at all. */
  isOutput(classType: string): boolean {
    return this.#classes.get(classType)?.output_node === true;
  }

  /** The names that a combo input offers; empty when the class or the input does not exist. */
  choices(classType: string, input: string): string[] {
    const [type, options] = this.#spec(classType, input) as [unknown, { options?: unknown } | undefined];
    // Two shapes are in use: [["a","b"], {...}] and ["COMBO", {"options": ["a","b"]}].
    const names = Array.isArray(type) ? type : options?.options;
    return Array.isArray(names) ? names.filter((name) => typeof name === "string") : [];
  }

  /** VAE files; the loader also offers approximations that come without a file. */
  get vaes(): string[] {
    return this.choices("VAELoader", "vae_name").filter((name) => /\.\w+$/.test(name));
  }

  /** Whether an input names a file of the input folder. */
  isInputFile(classType: string, input: string): boolean {
    const [, options] = this.#spec(classType, input);
    return typeof options === "object" && options !== null && UPLOADS.some((upload) => upload in options);
  }

  /** ComfyUI's description of an input: `[type, options?]`. */
  #spec(classType: string, input: string): unknown[] {
    const inputs = this.#classes.get(classType)?.input;
    const spec = inputs?.required?.[input] ?? inputs?.optional?.[input];
    return Array.isArray(spec) ? spec : [];
  }

  get checkpoints(): string[] {
    return this.choices("CheckpointLoaderSimple", "ckpt_name");
  }

  /** Names of the textual inversions, without extensions. */
  get embeddings(): readonly string[] {
    return this.#embeddings;
  }
}
