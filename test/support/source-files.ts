/** The product's own files and what they import, for tests of the structure. */
import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Every TypeScript file of the product, relative to the root. */
export const SOURCE_FILES: readonly string[] = globSync("{handler,workflows,runtime}/**/*.ts", { cwd: ROOT }).sort();

export const readSource = (file: string) => readFileSync(join(ROOT, file), "utf8");

/** The own files that a file names in its imports, those for types included. */
export function ownImports(file: string): string[] {
  const specifiers = [...readSource(file).matchAll(/(?:\bfrom|\bimport) *\(? *"(\.[^"]+)"/g)].map(([, path]) => path!);
  return specifiers.map((path) => join(dirname(file), path));
}

export interface LoadedImport {
  path: string;
  /** By `import()`, when first needed. */
  isLazy: boolean;
  isPackage: boolean;
}

/** What each file loads when it runs; imports for types alone are not among it. */
export async function loadGraph(): Promise<Record<string, LoadedImport[]>> {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: [...SOURCE_FILES],
    outdir: "nowhere",
    write: false,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    packages: "external",
    metafile: true,
    logLevel: "error",
  });
  return Object.fromEntries(
    Object.entries(metafile.inputs).map(([file, { imports }]) => [
      file,
      imports.map(({ path, kind, external }) => ({
        path,
        isLazy: kind === "dynamic-import",
        isPackage: external === true,
      })),
    ]),
  );
}
