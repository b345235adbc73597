/** Writes the README's tables from the code: `node test/support/write-docs.ts`. */
import { readFileSync, writeFileSync } from "node:fs";
import { CONTROLNET_PREFIX, CONTROLNET_ROUTES, SDAPI_ROUTES } from "../../handler/adapters/http/sdapi/route-table.ts";
import { settingsTable } from "../../handler/config.ts";
import { ERRORS } from "../../runtime/errors.ts";

export const README = new URL("../../README.md", import.meta.url);

/** The README with its tables as the code has them now. @throws Error when a table has lost its markers. */
export function withTables(readme: string): string {
  const tables = { settings: settingsTable(), errors: errorsTable(), "sdapi-routes": sdapiRoutesTable() };
  return Object.entries(tables).reduce((text, [name, table]) => {
    const [start, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
    const [from, to] = [text.indexOf(start) + start.length, text.indexOf(end)];
    if (from < start.length || to < from) throw new Error(`the README has no markers ${start} and ${end}`);
    return `${text.slice(0, from)}\n${table}\n${text.slice(to)}`;
  }, readme);
}

function errorsTable(): string {
  const rows = Object.entries(ERRORS).map(
    ([code, { httpStatus, retryable, meaning }]) =>
      `| \`${code}\` | ${httpStatus} | ${retryable ? "yes" : "no"} | ${meaning} |`,
  );
  return ["| code | HTTP | try again? | when |", "|---|---|---|---|", ...rows].join("\n");
}

function sdapiRoutesTable(): string {
  const extension = Object.entries(CONTROLNET_ROUTES).map(([route, answer]) => {
    const [method, path] = route.split(" ");
    return [`${method} ${CONTROLNET_PREFIX}${path}` as const, answer] as const;
  });
  const rows = [...Object.entries(SDAPI_ROUTES), ...extension].map(
    ([route, answer]) => `| \`${route}\` | ${answer ?? "501"} |`,
  );
  return ["| below `/sdapi/v1`; `/controlnet` stands on its own | what it answers |", "|---|---|", ...rows].join("\n");
}

if (import.meta.main) writeFileSync(README, withTables(readFileSync(README, "utf8")));
