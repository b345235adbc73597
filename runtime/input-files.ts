/** Pictures for LoadImage: they stand in ComfyUI's input folder while a prompt needs them. */
import { createHash } from "node:crypto";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

export interface InputFile {
  /** Below ComfyUI's input folder, as LoadImage takes it. */
  name: string;
  bytes: Buffer;
}

/** Apart from what the operator keeps in the input folder. */
const FOLDER = "comfy-endpoint";

/** A PNG file, named by its content: the same picture has the same name, so ComfyUI's cache of node results stays valid. */
export function inputFile(bytes: Buffer): InputFile {
  return { name: `${FOLDER}/${createHash("sha256").update(bytes).digest("hex")}.png`, bytes };
}

/** The input folder of an engine on this machine. Several prompts may need the same file: the last one's end removes it. */
export class InputFolder {
  readonly #root: string;
  readonly #held = new Map<string, { users: number; written: Promise<void> }>();
  /** Names that are being removed: what writes such a file again comes after that. */
  readonly #leaving = new Map<string, Promise<void>>();

  constructor(root: string) {
    this.#root = root;
  }

  /**
   * Resolves when every file is there.
   * @returns what gives them back.
   */
  async hold(files: readonly InputFile[]): Promise<() => Promise<void>> {
    const byName = new Map(files.map((file) => [file.name, file]));
    const release = async () => {
      await Promise.all([...byName.keys()].map((name) => this.#release(name)));
    };
    const written = await Promise.allSettled([...byName.values()].map((file) => this.#hold(file)));
    const failed = written.find((outcome) => outcome.status === "rejected");
    if (failed === undefined) return release;
    await release();
    throw failed.reason;
  }

  #hold({ name, bytes }: InputFile): Promise<void> {
    const write = async () => {
      await this.#leaving.get(name);
      await writeWhole(join(this.#root, name), bytes);
    };
    const held = this.#held.get(name) ?? { users: 0, written: write() };
    held.users++;
    this.#held.set(name, held);
    return held.written;
  }

  async #release(name: string): Promise<void> {
    const held = this.#held.get(name)!;
    held.users--;
    if (held.users > 0) return;
    this.#held.delete(name);
    // What cannot be removed is no reason to fail.
    const gone = rm(join(this.#root, name), { force: true }).catch(() => {});
    this.#leaving.set(name, gone);
    await gone;
    if (this.#leaving.get(name) === gone) this.#leaving.delete(name);
  }
}

/** Under its name only when it is whole. */
async function writeWhole(path: string, bytes: Buffer): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const part = `${path}.part`;
  await writeFile(part, bytes);
  await rename(part, path);
}
