/** Writes the docs' tables from the code: `node test/support/write-docs.ts`. */
import { readFileSync, writeFileSync } from "node:fs";
import { settingsTable } from "../../handler/config.ts";
import { ERRORS } from "../../runtime/errors.ts";
import { scalingTable } from "../template/scenarios.ts";
import { outputsTable, parametersTable } from "../template/tables.ts";
import { code, table } from "./markdown.ts";
import { sdapiTables } from "./sdapi-tables.ts";

export const README = new URL("../../README.md", import.meta.url);

const DOCS = new URL("../../docs/", import.meta.url);
export const SDAPI_PAGE = new URL("sdapi.md", DOCS);

/** Tables by the names of their markers. */
type Tables = Readonly<Record<string, string>>;

/** Every page that has tables of the code's. */
export const PAGES: { name: string; page: URL; tables: () => Tables }[] = [
  { name: "README.md", page: README, tables: () => ({ settings: settingsTable(), errors: errorsTable() }) },
  { name: "docs/sdapi.md", page: SDAPI_PAGE, tables: sdapiTables },
  { name: "docs/scaling.md", page: new URL("scaling.md", DOCS), tables: () => ({ scaling: scalingTable() }) },
  {
    name: "docs/platforms/aws.md",
    page: new URL("platforms/aws.md", DOCS),
    tables: () => ({ parameters: parametersTable(), outputs: outputsTable() }),
  },
];

/** The text with its tables as the code has them now. @throws Error when a table has lost its markers. */
export function withTables(page: string, tables: Tables): string {
  return Object.entries(tables).reduce((text, [name, contents]) => {
    const [start, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
    const [from, to] = [text.indexOf(start) + start.length, text.indexOf(end)];
    if (from < start.length || to < from) throw new Error(`the page has no markers ${start} and ${end}`);
    return `${text.slice(0, from)}\n${contents}\n${text.slice(to)}`;
  }, page);
}

function errorsTable(): string {
  const rows = Object.entries(ERRORS).map(([name, { httpStatus, retryable, meaning }]) => [
    code(name),
    String(httpStatus),
    retryable ? "yes" : "no",
    meaning,
  ]);
  return table(["code", "HTTP", "try again?", "when"], rows);
}

if (import.meta.main)
  for (const { page, tables } of PAGES) writeFileSync(page, withTables(readFileSync(page, "utf8"), tables()));
