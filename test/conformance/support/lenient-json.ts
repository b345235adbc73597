/** Python writes and reads bare `NaN` and `Infinity`, which JSON does not have: here they are the strings `<NaN>`, `<Infinity>`. */
const TOKENS = /"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b/g;

/** JSON as Python writes it. Throws a SyntaxError as JSON.parse does. */
export function parseLenient(text: string): unknown {
  return JSON.parse(text.replace(TOKENS, (token) => (token.startsWith('"') ? token : `"<${token}>"`)));
}

/** JSON as Python reads it: the strings `<NaN>` and `<Infinity>` go out bare. */
export function stringifyLenient(value: unknown): string {
  return JSON.stringify(value).replace(/"<(NaN|Infinity)>"/g, "$1");
}
