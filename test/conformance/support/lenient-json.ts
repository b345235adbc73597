/**
 * JSON as Python writes it: with bare `NaN` and `Infinity`, and with numbers that JavaScript would change (`0.0` is a float to Python,
 * 2^64-1 is no JavaScript number). Here such a token is the string `<token>`.
 */
const STRING = String.raw`"(?:[^"\\]|\\.)*"`;
const CONSTANT = String.raw`-?\b(?:NaN|Infinity)\b`;
const NUMBER = String.raw`-?\d[\d.eE+-]*`;
const LENIENT = new RegExp(`${STRING}|${CONSTANT}`, "g");
const EXACT = new RegExp(`${STRING}|${CONSTANT}|${NUMBER}`, "g");
const TOKEN_STRING = new RegExp(`"<(${CONSTANT}|${NUMBER})>"`, "g");

/** For reading answers: only what JSON does not have is kept as `<token>`. Throws a SyntaxError as JSON.parse does. */
export function parseLenient(text: string): unknown {
  return JSON.parse(text.replace(LENIENT, (token) => (token.startsWith('"') ? token : `"<${token}>"`)));
}

/** For sending on what was read: numbers keep their spelling. */
export function parseExact(text: string): unknown {
  const keeps = (token: string) => token.startsWith('"') || (/\d/.test(token) && String(Number(token)) === token);
  return JSON.parse(text.replace(EXACT, (token) => (keeps(token) ? token : `"<${token}>"`)));
}

/** The opposite of both. */
export function stringifyExact(value: unknown): string {
  return JSON.stringify(value).replace(TOKEN_STRING, "$1");
}
