/** A1111's `styles.csv`: columns `name`, `prompt` (of old files: `text`) and `negative_prompt`. */
import { globSync, readFileSync } from "node:fs";
import { parseCsv } from "./csv.ts";
import { type Style, Styles } from "./styles.ts";

const WILDCARD = /[*?]/;

/**
 * Reads the styles of all files.
 * @param files paths; a wildcard stands for all that fit, in the order of their names.
 * @param complain told of a file that cannot be read, or is none of styles; the others count.
 */
export function readStyleFiles(files: readonly string[], complain: (message: string) => void): Styles {
  const found = files.flatMap((file) => (WILDCARD.test(file) ? globSync(file).sort() : [file]));
  return new Styles(
    [...new Set(found)].flatMap((file) => {
      try {
        return stylesOf(readFileSync(file, "utf8"));
      } catch (error) {
        complain(`the styles in ${file} cannot be read: ${(error as Error).message}`);
        return [];
      }
    }),
  );
}

/**
 * The styles in the text of one file; rows whose name begins with `#` are comments.
 * @throws Error for a file without the columns.
 */
export function stylesOf(text: string): Style[] {
  const [header = [], ...rows] = parseCsv(text.replace(/^\uFEFF/, ""));
  const column = (...names: string[]) => names.map((name) => header.indexOf(name)).find((index) => index >= 0) ?? -1;
  const columns = { name: column("name"), prompt: column("prompt", "text"), negative: column("negative_prompt") };
  if (columns.name < 0 || columns.prompt < 0) throw new Error("its first row must name the columns: name, prompt");
  return rows
    .map((row) => ({
      name: row[columns.name] ?? "",
      prompt: row[columns.prompt] ?? "",
      negativePrompt: row[columns.negative] ?? "",
    }))
    .filter(({ name }) => !name.startsWith("#"));
}
