/** The README says what the code does. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import manifest from "../package.json" with { type: "json" };
import { ERRORS } from "../runtime/errors.ts";
import { filesListed, README_TEXT, shellBlocks } from "./support/readme.ts";
import { ownImports, ROOT, readSource, SOURCE_FILES } from "./support/source-files.ts";
import { withTables } from "./support/write-docs.ts";

test("the tables of settings and error codes are those of the code (`npm run docs` writes them)", () => {
  expect(README_TEXT).toBe(withTables(README_TEXT));
});

test("every error code is raised somewhere, and every code that is raised is in the table", () => {
  const code = SOURCE_FILES.map(readSource).join("\n");
  const unused = Object.keys(ERRORS).filter((name) => !code.includes(`"${name}"`));
  const raised = [...code.matchAll(/new EndpointError\(\s*"(\w+)"/g)].map(([, name]) => name);
  expect(unused).toEqual([]);
  expect(raised.filter((name) => !(name! in ERRORS))).toEqual([]);
});

test("every command of the README can be read by a shell, and every script it names exists", () => {
  for (const block of shellBlocks()) execFileSync("bash", ["-n"], { input: block });
  const named = [...README_TEXT.matchAll(/npm run (?:--silent )?([\w:]+)/g)].map(([, name]) => name!);
  expect(named.length).toBeGreaterThan(5);
  expect(named.filter((name) => !(name in manifest.scripts))).toEqual([]);
});

test("every file that the README names exists", () => {
  const named = [...README_TEXT.matchAll(/(?:handler|workflows|runtime|test)\/[\w./-]+/g)].map(([path]) => path);
  expect(named.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
});

test("every file that the endpoint can load is on one of the README's three lists", () => {
  const reached = new Set(["handler/main.ts"]);
  for (const file of reached) if (file.endsWith(".ts")) for (const imported of ownImports(file)) reached.add(imported);
  reached.delete("package.json");
  const { invocation, start, others } = filesListed();
  const folders = others.filter((path) => path.endsWith("/"));
  const named = [...invocation, ...start, ...others];
  const shown = [...reached].map((file) =>
    named.includes(file) ? file : (folders.find((folder) => file.startsWith(folder)) ?? file),
  );
  expect(named.sort()).toEqual([...new Set(shown)].sort());
});
