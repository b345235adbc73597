/** The README and the page about A1111's API say what the code does. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { SDAPI_ROUTES } from "../handler/adapters/http/sdapi/route-table.ts";
import { EXTRAS_FIELDS } from "../handler/request/sdapi/extras-fields.ts";
import { type Field, IMG2IMG_FIELDS, TXT2IMG_FIELDS } from "../handler/request/sdapi/fields.ts";
import manifest from "../package.json" with { type: "json" };
import { ERRORS } from "../runtime/errors.ts";
import recorded from "./fixtures/sdapi/get-routes.json" with { type: "json" };
import { filesListed, README_TEXT, shellBlocks } from "./support/readme.ts";
import { ownImports, ROOT, readSource, SOURCE_FILES } from "./support/source-files.ts";
import { PAGES, SDAPI_PAGE, withTables } from "./support/write-docs.ts";

test.each(PAGES)("the tables of $name are those of the code (`npm run docs` writes them)", ({ page, tables }) => {
  const text = readFileSync(page, "utf8");
  expect(text).toBe(withTables(text, tables()));
});

test("every field, option and route of A1111 is on the page about its API, and what is refused or without effect says why", () => {
  const page = readFileSync(SDAPI_PAGE, "utf8");
  const fields = { ...TXT2IMG_FIELDS, ...IMG2IMG_FIELDS, ...EXTRAS_FIELDS };
  const names = [...Object.keys({ ...fields, ...SDAPI_ROUTES }), ...Object.keys(recorded.options)];
  expect(names.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
  const tabs = Object.entries<Field>({ ...TXT2IMG_FIELDS, ...IMG2IMG_FIELDS });
  expect(tabs.filter(([, { schema, why }]) => (schema === undefined) !== (why !== undefined))).toEqual([]);
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
