/** Markdown as the docs' tables have it. */

/** @param cells no row may have more than the header. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(header), `|${"---|".repeat(header.length)}`, ...rows.map(line)].join("\n");
}

export const code = (text: string): string => `\`${text}\``;

export const codes = (texts: readonly string[]): string => texts.map(code).join(", ");

/** As in a request; nothing for undefined. */
export const asJson = (value: unknown): string => (value === undefined ? "" : code(JSON.stringify(value)));
