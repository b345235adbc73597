/** Where model files lie, and their SHA-256: from a file beside them, or computed once, one at a time, off every request's way. */
import { createHash } from "node:crypto";
import { createReadStream, existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";

/** Model folder names to the places where ComfyUI looks for their files. */
export type ModelFolders = Readonly<Record<string, readonly string[]>>;

const READ_BYTES = 4 * 1024 ** 2;
const SHA256 = /\b[0-9a-f]{64}\b/i;

export class ModelFiles {
  readonly #folders: () => ModelFolders;
  /** By path, size and time of change. */
  readonly #computed = new Map<string, Promise<string | undefined>>();
  readonly #known = new Map<string, string>();
  #queue: Promise<unknown> = Promise.resolve();

  /** @param folders of an engine on this machine; empty when its disk is not ours to read. */
  constructor(folders: () => ModelFolders) {
    this.#folders = folders;
  }

  /** Absolute path of a file of a list; undefined when it is not on a disk of ours. */
  path(folder: string, name: string): string | undefined {
    return this.#folders()
      [folder]?.map((root) => join(root, name))
      .find((path) => existsSync(path));
  }

  /** Lower-case SHA-256 as far as it is known now; what is not will be soon, when the file can be read. */
  sha256(folder: string, name: string): string | undefined {
    const path = this.path(folder, name);
    if (path === undefined) return undefined;
    const noted = readSidecar(path);
    if (noted !== undefined) return noted;
    const key = identityOf(path);
    if (key === undefined) return undefined;
    if (!this.#computed.has(key)) this.#compute(key, path);
    return this.#known.get(key);
  }

  /** Resolves when nothing is left to compute. */
  async settled(): Promise<void> {
    await this.#queue;
  }

  #compute(key: string, path: string): void {
    const hash = this.#queue.then(() => hashOf(path).catch(() => undefined));
    this.#queue = hash;
    this.#computed.set(key, hash);
    void hash.then((known) => known !== undefined && this.#known.set(key, known));
  }
}

function identityOf(path: string): string | undefined {
  try {
    const { size, mtimeMs } = statSync(path);
    return `${path} ${size} ${mtimeMs}`;
  } catch {
    return undefined;
  }
}

/** `model.safetensors.sha256` or `model.sha256`, bare or as `sha256sum` writes it. */
function readSidecar(path: string): string | undefined {
  for (const sidecar of [`${path}.sha256`, path.replace(/\.[^./]+$/, ".sha256")]) {
    try {
      const [hash] = readFileSync(sidecar, "utf8").match(SHA256) ?? [];
      if (hash !== undefined) return hash.toLowerCase();
    } catch {
      // There is none, which is usual.
    }
  }
  return undefined;
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of createReadStream(path, { highWaterMark: READ_BYTES })) {
    hash.update(piece as Buffer);
    await turn();
  }
  return hash.digest("hex");
}
