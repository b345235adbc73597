/** Paths that callers give stay inside the folder that they are relative to. */

/** Whether a path would leave its folder: absolute, with a home or a drive, or upwards, by either kind of slash. */
export function leavesFolder(path: string): boolean {
  return /^[/\\~]|^[a-z]:/i.test(path) || path.split(/[/\\]/).includes("..") || path.includes("\0");
}
