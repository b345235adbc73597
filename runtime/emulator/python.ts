/**
 * Python's values, as ComfyUI's validation sees them: conversions with their exact error texts, and JSON the way
 * `json.loads` and `json.dumps` read and write it (bare NaN, integers of any size, `7.0` kept apart from `7`).
 *
 * A number is a plain one where JavaScript writes it back unchanged, else a raw JSON number (`7.0`, `18446744073709551615`).
 */
import { exactInteger, isRawNumber } from "../json.ts";

const json = JSON as unknown as {
  rawJSON(text: string): object;
  parse(text: string, reviver: (key: string, value: unknown, context: { source?: string }) => unknown): unknown;
};

/** An exception that ComfyUI would raise: `type` is the Python class name. */
export class PythonError extends Error {
  readonly type: string;
  constructor(type: string, message: string) {
    super(message);
    this.type = type;
  }
}

type Numeric = { kind: "int"; value: bigint } | { kind: "float"; value: number };

/** The number behind a value; booleans count, as in Python. Undefined for everything else. */
function numeric(value: unknown): Numeric | undefined {
  if (typeof value === "boolean") return { kind: "int", value: value ? 1n : 0n };
  if (typeof value === "number")
    return Number.isInteger(value) ? { kind: "int", value: BigInt(value) } : { kind: "float", value };
  if (!isRawNumber(value)) return undefined;
  const source = value.rawJSON;
  return /[.e]/i.test(source) ? { kind: "float", value: Number(source) } : { kind: "int", value: BigInt(source) };
}

/** A Python float: integral values keep their `.0`. */
export function floatValue(value: number): number | object {
  return Number.isInteger(value) ? json.rawJSON(floatText(value)) : value;
}

function floatText(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  const size = Math.abs(value);
  if (value !== 0 && (size >= 1e16 || size < 1e-4)) return value.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
  return Number.isInteger(value) ? `${Object.is(value, -0) ? "-0" : value}.0` : String(value);
}

/** The name that `type(value).__name__` gives. */
export function typeName(value: unknown): string {
  if (value === null || value === undefined) return "NoneType";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "string") return "str";
  const number = numeric(value);
  if (number !== undefined) return number.kind;
  return Array.isArray(value) ? "list" : "dict";
}

/** Python's `repr`. */
export function repr(value: unknown): string {
  if (typeof value === "string") {
    const escaped = value
      .replaceAll("\\", "\\\\")
      .replaceAll("\n", "\\n")
      .replaceAll("\r", "\\r")
      .replaceAll("\t", "\\t");
    return value.includes("'") && !value.includes('"') ? `"${escaped}"` : `'${escaped.replaceAll("'", "\\'")}'`;
  }
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  const number = numeric(value);
  if (number !== undefined) return number.kind === "int" ? number.value.toString() : floatText(number.value);
  if (Array.isArray(value)) return `[${value.map(repr).join(", ")}]`;
  return `{${Object.entries(value)
    .map(([key, item]) => `${repr(key)}: ${repr(item)}`)
    .join(", ")}}`;
}

/** Python's `str`. */
export function str(value: unknown): string {
  return typeof value === "string" ? value : repr(value);
}

/** Python's truth value. */
export function truthy(value: unknown): boolean {
  const number = numeric(value);
  if (number !== undefined) return number.kind === "int" ? number.value !== 0n : number.value !== 0;
  if (value === null || value === undefined || value === "") return false;
  return typeof value === "object" ? Object.keys(value).length > 0 : true;
}

/** Python's `int(value)`. @throws PythonError with Python's own text. */
export function toInt(value: unknown): number | object {
  const number = numeric(value);
  if (number?.kind === "int") return exactInteger(number.value);
  if (number !== undefined) {
    if (Number.isNaN(number.value)) throw new PythonError("ValueError", "cannot convert float NaN to integer");
    if (!Number.isFinite(number.value))
      throw new PythonError("OverflowError", "cannot convert float infinity to integer");
    return exactInteger(BigInt(Math.trunc(number.value)));
  }
  if (typeof value === "string") {
    const digits = value.trim();
    if (/^[+-]?\d+(_\d+)*$/.test(digits)) return exactInteger(BigInt(digits.replace(/^\+|_/g, "")));
    throw new PythonError("ValueError", `invalid literal for int() with base 10: ${repr(value)}`);
  }
  throw new PythonError(
    "TypeError",
    `int() argument must be a string, a bytes-like object or a real number, not '${typeName(value)}'`,
  );
}

/** Python's `float(value)`. @throws PythonError with Python's own text. */
export function toFloat(value: unknown): number | object {
  const number = numeric(value);
  if (number !== undefined) return floatValue(Number(number.value));
  if (typeof value === "string") {
    const text = value.trim().toLowerCase();
    const constant = /^([+-]?)(nan|inf|infinity)$/.exec(text);
    if (constant) return constant[2] === "nan" ? Number.NaN : constant[1] === "-" ? -Infinity : Infinity;
    if (/^[+-]?(\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(e[+-]?\d+)?$/.test(text))
      return floatValue(Number(text.replaceAll("_", "")));
    throw new PythonError("ValueError", `could not convert string to float: ${repr(value)}`);
  }
  throw new PythonError("TypeError", `float() argument must be a string or a real number, not '${typeName(value)}'`);
}

/**
 * Python's `a < b`; comparisons with NaN are false.
 * @throws PythonError when the two cannot be ordered.
 */
export function isLess(a: unknown, b: unknown): boolean {
  const [left, right] = [numeric(a), numeric(b)];
  if (left !== undefined && right !== undefined) return left.value < right.value;
  if (typeof a === "string" && typeof b === "string") return a < b;
  throw new PythonError("TypeError", `'<' not supported between instances of '${typeName(a)}' and '${typeName(b)}'`);
}

/** Python's `a == b` for JSON values. */
export function isEqual(a: unknown, b: unknown): boolean {
  const [left, right] = [numeric(a), numeric(b)];
  // biome-ignore lint/suspicious/noDoubleEquals: a bigint and a double are equal by value in Python too
  if (left !== undefined && right !== undefined) return left.value == right.value;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return a === b;
  return repr(a) === repr(b);
}

/** What a node gets: doubles for floats and small integers, a bigint for an integer that a double cannot hold. */
export function plain(value: unknown): unknown {
  const number = typeof value === "boolean" ? undefined : numeric(value);
  if (number === undefined) return value;
  return Number.isSafeInteger(Number(number.value)) || number.kind === "float" ? Number(number.value) : number.value;
}

const CONSTANT_MARK = "\ue000python constant ";
const BARE_CONSTANT = /"(?:[^"\\]+|\\.)*"|-?Infinity|NaN/gs;
const CONSTANT_NAMES = new Map<number, string>([
  [Number.NaN, "NaN"],
  [Infinity, "Infinity"],
  [-Infinity, "-Infinity"],
]);

/** Python's `json.loads`. @throws SyntaxError */
export function loads(text: string): unknown {
  const marked = text.replace(BARE_CONSTANT, (token) => (token.startsWith('"') ? token : `"${CONSTANT_MARK}${token}"`));
  return json.parse(marked, (_key, value, { source }) => {
    if (typeof value === "string" && value.startsWith(CONSTANT_MARK)) return Number(value.slice(CONSTANT_MARK.length));
    if (typeof value !== "number" || source === undefined) return value;
    return /[.e]/i.test(source) ? floatValue(value) : exactInteger(BigInt(source));
  });
}

/** Python's `json.dumps`: NaN and the infinities are written bare. */
export function dumps(value: unknown): string {
  let hasConstants = false;
  const text = JSON.stringify(value, (_key, item) => {
    const constant = typeof item === "number" ? CONSTANT_NAMES.get(item) : undefined;
    if (constant === undefined) return item;
    hasConstants = true;
    return CONSTANT_MARK + constant;
  });
  return hasConstants ? text.replaceAll(new RegExp(`"${CONSTANT_MARK}(-?\\w+)"`, "g"), "$1") : text;
}
