import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { readStyleFiles, stylesOf } from "../../../../handler/styles/style-files.ts";

const cat = { name: "cat", prompt: "a cat", negativePrompt: "dog" };

describe("the text of a file", () => {
  test.each([
    ["as A1111 writes it", "\uFEFFname,prompt,negative_prompt\r\ncat,a cat,dog\r\n", [cat]],
    ["of an old A1111", "name,text\ncat,a cat", [{ ...cat, negativePrompt: "" }]],
    ["with columns in another order and more of them", "path,negative_prompt,prompt,name\nx,dog,a cat,cat", [cat]],
    ["with comments and empty lines", "name,prompt,negative_prompt\n\n#cat,x,y\n# all of it\ncat,a cat,dog\n\n", [cat]],
    ["with blanks after commas", "name, prompt, negative_prompt\ncat, a cat, dog", [cat]],
    [
      "with a row that is too short",
      "name,prompt,negative_prompt\ncat",
      [{ name: "cat", prompt: "", negativePrompt: "" }],
    ],
    [
      "with lines and quotes in a prompt",
      'name,prompt,negative_prompt\ncat,"a ""cat"",\nred",',
      [{ name: "cat", prompt: 'a "cat",\nred', negativePrompt: "" }],
    ],
    ["of nothing but a header", "name,prompt,negative_prompt\n", []],
  ])("%s", (_, text, styles) => {
    expect(stylesOf(text)).toEqual(styles);
  });

  test.each(["", "cat,a cat,dog", "name\ncat", "prompt,negative_prompt\na cat,dog"])("%j is none of styles", (text) => {
    expect(() => stylesOf(text)).toThrow("name the columns");
  });
});

describe("the files", () => {
  const folder = () => {
    const path = mkdtempSync(join(tmpdir(), "styles-"));
    onTestFinished(() => rmSync(path, { recursive: true }));
    const write = (name: string, row: string) => writeFileSync(join(path, name), `name,prompt,negative_prompt\n${row}`);
    write("b.csv", "cat,a cat,dog");
    write("a.csv", "fox,a fox,");
    write("c.csv", "cat,a black cat,");
    return path;
  };
  const read = (...files: string[]) => {
    const complaints: string[] = [];
    const styles = readStyleFiles(files, (message) => complaints.push(message));
    return { prompts: styles.all.map(({ prompt }) => prompt), complaints };
  };

  test("a wildcard stands for all that fit; the last of one name counts", () => {
    expect(read(join(folder(), "*.csv"))).toEqual({ prompts: ["a fox", "a black cat"], complaints: [] });
  });

  test("they are read in the order given, each once", () => {
    const path = folder();
    expect(read(join(path, "c.csv"), join(path, "b.csv"), join(path, "c.csv")).prompts).toEqual(["a cat"]);
  });

  test("one that cannot be read is told, and the others count", () => {
    const path = folder();
    const { prompts, complaints } = read(join(path, "none.csv"), path, join(path, "a.csv"));
    expect(prompts).toEqual(["a fox"]);
    expect(complaints).toEqual([expect.stringContaining("none.csv"), expect.stringContaining("cannot be read")]);
  });

  test("none is needed", () => {
    expect(read()).toEqual({ prompts: [], complaints: [] });
  });
});
