/** The folders that clients name by type, and the paths that may not leave them. */
import path from "node:path";
import type { NodeContext } from "./nodes/node.ts";

export type Folders = NodeContext["folders"];

export function folderOfType(folders: Folders, type: string): string | undefined {
  return Object.hasOwn(folders, type) ? folders[type as keyof Folders] : undefined;
}

/** Splits `name.png [temp]` into the name and its folder, as ComfyUI's annotated paths. */
export function splitAnnotation(name: string, folders: Folders): { name: string; folder: string | undefined } {
  const annotation = / ?\[(input|output|temp)\]$/.exec(name);
  if (annotation === null) return { name, folder: undefined };
  return { name: name.slice(0, annotation.index), folder: folderOfType(folders, annotation[1]!) };
}

export function isInside(folder: string, file: string): boolean {
  const relative = path.relative(folder, file);
  return relative === "" || (!relative.startsWith("..") && !path.isAbsolute(relative));
}
