/** JSON as ComfyUI speaks it: 64-bit integers survive digit for digit, and Python's bare NaN does not break the reader. */

/** ES2026 JSON source access, which Node 24 has and TypeScript's library does not describe yet. */
const json = JSON as unknown as {
  rawJSON(text: string): object;
  isRawJSON(value: unknown): value is { readonly rawJSON: string };
  parse(text: string, reviver: (key: string, value: unknown, context: { source?: string }) => unknown): unknown;
};

const INTEGER = /^-?\d+$/;

/** A number whose digits a double cannot hold, as an object that `JSON.stringify` writes back exactly. */
export const isRawNumber = json.isRawJSON;

/** Writes an integer of any size so that `JSON.stringify` keeps its digits. */
export function exactInteger(value: bigint): number | object {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : json.rawJSON(value.toString());
}

/**
 * Parses JSON; integers beyond 2^53 become raw numbers (see {@link isRawNumber}) instead of losing digits.
 * @throws SyntaxError as `JSON.parse` does.
 */
export function parseJson(text: string): unknown {
  return json.parse(text, (_key, value, { source }) =>
    typeof value === "number" && !Number.isSafeInteger(value) && source !== undefined && INTEGER.test(source)
      ? json.rawJSON(source)
      : value,
  );
}

/** Skips strings, so that the word NaN inside a prompt's text is left alone. */
const BARE_CONSTANT = /"(?:[^"\\]+|\\.)*"|-?Infinity|NaN/gs;

/**
 * Parses what Python's `json.dumps` wrote: as {@link parseJson}, and bare `NaN`, `Infinity`, `-Infinity` read as null.
 * @throws SyntaxError when it is not JSON even then.
 */
export function parsePythonJson(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return parseJson(text.replace(BARE_CONSTANT, (token) => (token.startsWith('"') ? token : "null")));
  }
}
