/** Names of outputs, as they become keys and file names. */

/** The same names, later ones numbered (`a.png`, `a-2.png`) until no two are equal. */
export function uniqueNames(names: readonly string[]): string[] {
  const taken = new Set<string>();
  return names.map((name) => {
    let candidate = name;
    for (let n = 2; taken.has(candidate); n++) candidate = name.replace(/(\.[^./]*)?$/, `-${n}$1`);
    taken.add(candidate);
    return candidate;
  });
}

/** comfyui-api puts the invocation's id before every file name; folders become part of it. */
export function comfyuiApiNames(id: string, names: readonly string[]): string[] {
  return uniqueNames(names.map((name) => `${id}_${name.replaceAll("/", "_")}`));
}
