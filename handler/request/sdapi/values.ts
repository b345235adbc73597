/** What A1111 (pydantic v1) accepts for a number, a truth value or a text, as zod schemas. */
import * as z from "zod";
import { isRawNumber } from "../../../runtime/json.ts";

const FLOAT_TEXT = /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i;

/** Numbers may come as text and truth values as numbers: clients rely on what pydantic v1 accepts. */
const asNumber = (value: unknown): unknown => {
  if (isRawNumber(value)) return Number(value.rawJSON);
  if (typeof value === "boolean") return Number(value);
  if (typeof value === "string" && FLOAT_TEXT.test(value)) return Number(value);
  return value;
};

const INTEGER_TEXT = /^\s*[+-]?\d+\s*$/;

/** pydantic's int: 12.5 is cut to 12, but the text "12.5" is no integer. */
const asInteger = (value: unknown): unknown => {
  if (typeof value === "string") return INTEGER_TEXT.test(value) ? Number(value) : value;
  const number = asNumber(value);
  return typeof number === "number" ? Math.trunc(number) : number;
};

const asBigInteger = (value: unknown): unknown => {
  if (isRawNumber(value)) return BigInt(value.rawJSON);
  if (typeof value === "string" && INTEGER_TEXT.test(value)) return BigInt(value.trim());
  const number = asInteger(value);
  return typeof number === "number" && Number.isFinite(number) ? BigInt(number) : number;
};

const BOOLEAN_TEXT: Record<string, boolean> = {
  true: true,
  on: true,
  yes: true,
  y: true,
  t: true,
  "1": true,
  false: false,
  off: false,
  no: false,
  n: false,
  f: false,
  "0": false,
};
const asBoolean = (value: unknown): unknown =>
  typeof value === "string" || typeof value === "number" ? (BOOLEAN_TEXT[String(value).toLowerCase()] ?? value) : value;

const asText = (value: unknown): unknown => {
  if (isRawNumber(value)) return value.rawJSON;
  if (typeof value === "boolean") return value ? "True" : "False"; // Python's words
  return typeof value === "number" ? String(value) : value;
};

const NOT_AN_INTEGER = "value is not a valid integer";
const NOT_A_FLOAT = "value is not a valid float";
/** pydantic's words for a number beyond its limits. */
const atLeast = (limit: number | bigint) => `ensure this value is greater than or equal to ${limit}`;
const atMost = (limit: number | bigint) => `ensure this value is less than or equal to ${limit}`;
export const integer = (min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER) =>
  z.preprocess(asInteger, z.number(NOT_AN_INTEGER).min(min, atLeast(min)).max(max, atMost(max)));
export const float = (min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY) =>
  z.preprocess(asNumber, z.number(NOT_A_FLOAT).min(min, atLeast(min)).max(max, atMost(max)));
export const boolean = z.preprocess(asBoolean, z.boolean("value could not be parsed to a boolean"));
export const text = z.preprocess(asText, z.string("str type expected"));
/** `#rgb` or `#rrggbb`, as web pages pick colours, to numbers up to 255. */
export const colour = z
  .string("str type expected")
  .regex(/^#([0-9a-f]{3}|[0-9a-f]{6})$/i, "must be a colour like #ffffff")
  .transform((hex): readonly [number, number, number] => {
    const digits = hex.length === 4 ? hex.replace(/[0-9a-f]/gi, "$&$&") : hex;
    const channel = (at: number) => Number.parseInt(digits.slice(at, at + 2), 16);
    return [channel(1), channel(3), channel(5)];
  });

const MAX_PROMPT = 30_000;
/** Longer ones take time that grows with the square of their brackets. */
export const prompt = z.preprocess(
  asText,
  z.string("str type expected").max(MAX_PROMPT, `ensure this value has at most ${MAX_PROMPT} characters`),
);
const MIN_SEED = -(2n ** 63n);
const MAX_SEED = 2n ** 64n - 1n;
/** PyTorch's; -1 asks for a random one. */
export const seed = z.preprocess(
  asBigInteger,
  z.bigint(NOT_AN_INTEGER).min(MIN_SEED, atLeast(MIN_SEED)).max(MAX_SEED, atMost(MAX_SEED)),
);

/** Of no pairs, pydantic makes an object. */
const emptyListAsObject = (value: unknown) => (Array.isArray(value) && value.length === 0 ? {} : value);
export const dictionary = z.preprocess(emptyListAsObject, z.record(z.string(), z.unknown()));
