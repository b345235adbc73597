/**
 * Where model files lie, what their headers tell, and their SHA-256: from a file beside them, or computed once, one at a time, off every
 * request's way.
 */
import { createHash } from "node:crypto";
import { createReadStream, existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { readSafetensorsHeader, type SafetensorsHeader, safetensorsDataStart } from "./safetensors.ts";

/** Model folder names to the places where ComfyUI looks for their files. */
export type ModelFolders = Readonly<Record<string, readonly string[]>>;

const READ_BYTES = 4 * 1024 ** 2;
const SHA256 = /\b[0-9a-f]{64}\b/i;

export class ModelFiles {
  readonly #folders: () => ModelFolders;
  /** By what is hashed: what that was when it was hashed, and the hash as soon as it is known. */
  readonly #hashes = new Map<string, { identity: string; hash?: string }>();
  /** By reader, then by path. */
  readonly #described = new WeakMap<HeaderReader<unknown>, Map<string, Description<unknown>>>();
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

  /**
   * What a reader makes of a file's safetensors header. It is asked once for a file that stays the same; only its answer is kept.
   * @returns undefined for what is no such file, or lies on no disk of ours.
   */
  async describe<T>(folder: string, name: string, read: HeaderReader<T>): Promise<T | undefined> {
    const path = this.path(folder, name);
    const identity = path && identityOf(path);
    if (path === undefined || identity === undefined) return undefined;
    const byPath = (this.#described.get(read) ?? new Map()) as Map<string, Description<T>>;
    this.#described.set(read, byPath);
    const last = byPath.get(path);
    if (last?.identity === identity) return await last.value;
    const value = readSafetensorsHeader(path).then((header) => header && read(header));
    byPath.set(path, { identity, value });
    return await value;
  }

  /** Lower-case SHA-256 as far as it is known now; what is not will be soon, when the file can be read. */
  sha256(folder: string, name: string): string | undefined {
    const path = this.path(folder, name);
    return path === undefined ? undefined : (readSidecar(path) ?? this.#hash(path, path, async () => 0));
  }

  /** As {@link sha256}, of the tensors alone where it is a safetensors file: that stays when the maker's notes change. */
  dataSha256(folder: string, name: string): string | undefined {
    const path = this.path(folder, name);
    if (path === undefined) return undefined;
    return this.#hash(`data of ${path}`, path, async () => (await safetensorsDataStart(path)) ?? 0);
  }

  /** Resolves when nothing is left to compute. */
  async settled(): Promise<void> {
    await this.#queue;
  }

  #hash(key: string, path: string, startOf: () => Promise<number>): string | undefined {
    const identity = identityOf(path);
    if (identity === undefined) return undefined;
    const last = this.#hashes.get(key);
    if (last?.identity === identity) return last.hash;
    const entry: { identity: string; hash?: string } = { identity };
    this.#hashes.set(key, entry);
    this.#queue = this.#queue.then(async () => {
      const hash = await hashOf(path, await startOf()).catch(() => undefined);
      if (hash !== undefined) entry.hash = hash;
    });
    return undefined;
  }
}

/** Must not change from call to call: what it returned before is found by it. */
export type HeaderReader<T> = (header: SafetensorsHeader) => T;

interface Description<T> {
  identity: string;
  value: Promise<T | undefined>;
}

/** Changes when the file does; undefined for what is no file. */
function identityOf(path: string): string | undefined {
  try {
    const stats = statSync(path);
    return stats.isFile() ? `${stats.ino} ${stats.size} ${stats.mtimeMs}` : undefined;
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

async function hashOf(path: string, start: number): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of createReadStream(path, { highWaterMark: READ_BYTES, start })) {
    hash.update(piece as Buffer);
    await turn();
  }
  return hash.digest("hex");
}
