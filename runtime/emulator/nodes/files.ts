/** Where ComfyUI's nodes find and put files: annotated names, escapes, counters. */
import { existsSync, realpathSync } from "node:fs";
import { mkdir, readdir } from "node:fs/promises";
import { basename, dirname, join, normalize, resolve, sep } from "node:path";
import { type NodeContext, NodeError } from "./node.ts";

type Folders = NodeContext["folders"];

const ANNOTATION = /(?<name>.*)\s\[(?<folder>input|output|temp)\]$/s;

/** The path behind `NAME` or `NAME [output]`; `undefined` when it leaves its folder, also through a symlink. */
export function annotatedPath(annotated: string, folders: Folders): string | undefined {
  const { name = annotated, folder = "input" } = ANNOTATION.exec(annotated)?.groups ?? {};
  const base = folders[folder as keyof Folders];
  const path = resolve(base, name);
  return isWithin(base, path) ? path : undefined;
}

/** LoadImage's VALIDATE_INPUTS. */
export function checkAnnotatedPath(name: string, folders: Folders): true | string {
  const path = annotatedPath(name, folders);
  return path !== undefined && existsSync(path) ? true : `Invalid image file: ${name}`;
}

function isWithin(folder: string, path: string): boolean {
  if (path.includes("\0")) return false;
  const real = realPath(folder);
  const target = realPath(path);
  return target === real || target.startsWith(real + sep);
}

/** The real path as far as it exists, the rest as written (Python's `realpath`). */
function realPath(path: string): string {
  if (existsSync(path)) return realpathSync(path);
  const parent = dirname(path);
  return parent === path ? path : join(realPath(parent), basename(path));
}

export interface SaveTarget {
  folder: string;
  subfolder: string;
  /** First part of the file names; may hold `%batch_num%`. */
  name: string;
  counter: number;
}

/**
 * ComfyUI's `get_save_image_path`: expands `%width%`, `%height%` and the date, creates the folder, continues the highest counter.
 * @throws {NodeError} `Exception` when the prefix leaves `root`.
 */
export async function saveTarget(prefix: string, root: string, width: number, height: number): Promise<SaveTarget> {
  const expanded = expandTokens(prefix, width, height);
  const path = normalize(expanded);
  const subfolder = dirname(path) === "." ? "" : dirname(path);
  const name = basename(path);
  const folder = resolve(root, subfolder);
  if (!isWithin(root, folder)) {
    throw new NodeError(
      "Exception",
      `**** ERROR: Saving image outside the output folder is not allowed.\n full_output_folder: ${folder}\n         output_dir: ${root}`,
    );
  }
  await mkdir(folder, { recursive: true });
  return { folder, subfolder, name, counter: nextCounter(await readdir(folder), name, basename(expanded).length) };
}

function nextCounter(files: string[], name: string, prefixLength: number): number {
  const taken = files
    .filter((file) => file.slice(0, prefixLength + 1) === `${name}_`)
    .map((file) => /^\d+(?=[._]|$)/.exec(file.slice(prefixLength + 1)))
    .map((digits) => Number(digits?.[0] ?? 0));
  return Math.max(0, ...taken) + 1;
}

function expandTokens(prefix: string, width: number, height: number): string {
  const now = new Date();
  const two = (value: number) => String(value).padStart(2, "0");
  const tokens: Record<string, string> = {
    width: String(width),
    height: String(height),
    year: String(now.getFullYear()),
    month: two(now.getMonth() + 1),
    day: two(now.getDate()),
    hour: two(now.getHours()),
    minute: two(now.getMinutes()),
    second: two(now.getSeconds()),
  };
  return prefix.replace(/%(\w+)%/g, (token, name: string) => tokens[name] ?? token);
}
