/** The header of a safetensors file: what its tensors are called and how large they are, without the tensors. */
import { type FileHandle, open, stat } from "node:fs/promises";

export interface SafetensorsHeader {
  /** Shapes by tensor name. */
  shapes: ReadonlyMap<string, readonly number[]>;
  /** What the file's maker noted. */
  metadata: Readonly<Record<string, string>>;
}

/** Bytes that tell the length of the header. */
const LENGTH_BYTES = 8;
/** The format's own limit. */
const MAX_HEADER_BYTES = 100_000_000;

/** Undefined for what is no such file, or cannot be read. */
export async function readSafetensorsHeader(path: string): Promise<SafetensorsHeader | undefined> {
  return await withHeader(path, async (file, length) => {
    const text = await readAt(file, LENGTH_BYTES, length);
    return text && parseHeader(JSON.parse(text.toString("utf8")));
  });
}

/** The byte at which the tensors begin; undefined for what is no safetensors file. */
export async function safetensorsDataStart(path: string): Promise<number | undefined> {
  return await withHeader(path, async (_, length) => LENGTH_BYTES + length);
}

async function withHeader<T>(
  path: string,
  use: (file: FileHandle, length: number) => Promise<T | undefined>,
): Promise<T | undefined> {
  let file: FileHandle | undefined;
  try {
    // To open what is no file, such as a pipe, can take for ever.
    const { size } = await stat(path).then((stats) => (stats.isFile() ? stats : { size: 0 }));
    if (size < LENGTH_BYTES) return undefined;
    file = await open(path);
    const length = await headerLength(file, size);
    return length === undefined ? undefined : await use(file, length);
  } catch {
    return undefined;
  } finally {
    await file?.close();
  }
}

async function headerLength(file: FileHandle, size: number): Promise<number | undefined> {
  const length = (await readAt(file, 0, LENGTH_BYTES))?.readBigUInt64LE();
  if (length === undefined || length > MAX_HEADER_BYTES || LENGTH_BYTES + Number(length) > size) return undefined;
  return Number(length);
}

/** Undefined when the file ends before. */
async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer | undefined> {
  const bytes = Buffer.alloc(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(bytes, filled, length - filled, position + filled);
    if (bytesRead === 0) return undefined;
    filled += bytesRead;
  }
  return bytes;
}

function parseHeader(header: unknown): SafetensorsHeader | undefined {
  if (!isRecord(header)) return undefined;
  const { __metadata__: noted = {}, ...tensors } = header;
  if (!isRecord(noted)) return undefined;
  const shapes = new Map<string, readonly number[]>();
  for (const [name, tensor] of Object.entries(tensors)) {
    const shape = isRecord(tensor) ? tensor["shape"] : undefined;
    if (!isShape(shape)) return undefined;
    shapes.set(name, shape);
  }
  const texts = Object.entries(noted).filter((entry): entry is [string, string] => typeof entry[1] === "string");
  return { shapes, metadata: Object.fromEntries(texts) };
}

const isShape = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((side) => Number.isSafeInteger(side) && (side as number) >= 0);

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
