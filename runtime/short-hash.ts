/** A1111's old hash of a model file: of 64 KiB at 1 MiB, 8 digits. Not unique, but at once there. */
import { createHash } from "node:crypto";
import { open } from "node:fs/promises";

const START = 2 ** 20;
const LENGTH = 2 ** 16;

/** @returns undefined when the file cannot be read. */
export async function shortHash(path: string): Promise<string | undefined> {
  const file = await open(path).catch(() => undefined);
  if (file === undefined) return undefined;
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(LENGTH), 0, LENGTH, START);
    return createHash("sha256").update(buffer.subarray(0, bytesRead)).digest("hex").slice(0, 8);
  } finally {
    await file.close();
  }
}
