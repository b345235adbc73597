/** Reads CSV as Python's reader does with `skipinitialspace=True`: A1111's users edit their style files by hand and in spreadsheets. */

const ROW_END = /[\r\n]/;

/** Rows of fields; rows without any text are left out. Never throws: a quote that is not closed reaches to the end. */
export function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let at = 0;
  while (at < text.length) {
    const { field, end } = readField(text, at);
    row.push(field);
    at = end + 1;
    if (text[end] === ",") continue;
    if (row.length > 1 || field !== "") rows.push(row);
    row = [];
  }
  // A comma at the very end: what follows it is empty.
  if (row.length > 0) rows.push([...row, ""]);
  return rows;
}

/** @returns also where the comma, the end of the row or the end of the text is. */
function readField(text: string, start: number): { field: string; end: number } {
  let at = start;
  while (text[at] === " ") at++;
  let field = "";
  if (text[at] === '"') {
    for (at++; at < text.length; at++) {
      const close = indexOrEnd(text, '"', at);
      field += text.slice(at, close);
      at = close + 1;
      if (text[at] !== '"') break;
      field += '"';
    }
  }
  // What follows a closing quote belongs to the field all the same.
  const from = Math.min(at, text.length);
  let end = from;
  while (end < text.length && text[end] !== "," && !ROW_END.test(text[end]!)) end++;
  return { field: field + text.slice(from, end), end };
}

const indexOrEnd = (text: string, part: string, from: number) => {
  const index = text.indexOf(part, from);
  return index < 0 ? text.length : index;
};
