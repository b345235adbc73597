/** JSON as ComfyUI speaks it: 64-bit integers survive digit for digit, and Python's bare NaN does not break the reader. */

/** ES2026 JSON source access, which Node 24 has and TypeScript's library does not describe yet. */
const json = JSON as unknown as {
  rawJSON(text: string): object;
  isRawJSON(value: unknown): value is { readonly rawJSON: string };
  parse(text: string, reviver: (key: string, value: unknown, context: { source?: string }) => unknown): unknown;
};

const INTEGER = /^-?\d+$/;
/** The shortest integer that a double may not hold has sixteen digits; a reviver for every value costs ten times the parsing. */
const MAY_HOLD_LONG_INTEGER = /\d{16}/;

/** A number whose digits a double cannot hold, as an object that `JSON.stringify` writes back exactly. */
export const isRawNumber = json.isRawJSON;

/** Writes an integer of any size so that `JSON.stringify` keeps its digits. */
export function exactInteger(value: bigint): number | object {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : json.rawJSON(value.toString());
}

/** As deep as ComfyUI's own parser goes, and less than what would overflow a stack on the way. */
const MAX_DEPTH = 500;

/**
 * Parses JSON; integers beyond 2^53 become raw numbers (see {@link isRawNumber}) instead of losing digits.
 * @throws SyntaxError as `JSON.parse` does, and for what is nested deeper than {@link MAX_DEPTH}.
 */
export function parseJson(text: string): unknown {
  const value = JSON.parse(text);
  refuseDeep(value);
  if (!MAY_HOLD_LONG_INTEGER.test(text)) return value;
  return json.parse(text, (_key, part, { source }) =>
    typeof part === "number" && !Number.isSafeInteger(part) && source !== undefined && INTEGER.test(source)
      ? json.rawJSON(source)
      : part,
  );
}

function refuseDeep(value: unknown): void {
  let level = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_DEPTH) throw new SyntaxError(`nested deeper than ${MAX_DEPTH} levels`);
    level = level
      .filter((part) => typeof part === "object" && part !== null)
      .flatMap((part) => Object.values(part as object));
  }
}

/** What decides where a string ends, and the constants that Python writes bare. */
const ESCAPE_QUOTE_OR_CONSTANT = /\\.|"|-?Infinity|NaN/gs;

/**
 * Parses what Python's `json.dumps` wrote: as {@link parseJson}, and bare `NaN`, `Infinity`, `-Infinity` read as null.
 * @throws SyntaxError when it is not JSON even then.
 */
export function parsePythonJson(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    let isInString = false;
    const strict = text.replace(ESCAPE_QUOTE_OR_CONSTANT, (token) => {
      if (token === '"') isInString = !isInString;
      return isInString || token === '"' || token.startsWith("\\") ? token : "null";
    });
    return parseJson(strict);
  }
}
