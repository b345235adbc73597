/** The types of A1111's request (v1.10.1), checked as pydantic 1 checks them, also where a field has no effect here. */
import { isRawNumber } from "../../../runtime/json.ts";
import { type FieldIssue, issuesError } from "../field-errors.ts";
import type { Field, FieldType, Kind } from "./fields.ts";

const INTEGER = /^\s*[+-]?\d+\s*$/;
const FLOAT = /^\s*[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|nan|inf(inity)?)\s*$/i;
const BOOLEAN = /^(true|false|on|off|yes|no|y|n|t|f|1|0)$/i;

const isNumber = (value: unknown) => typeof value === "number" || typeof value === "boolean" || isRawNumber(value);
const isText = (value: unknown) => typeof value === "string" || isNumber(value);
const matches = (pattern: RegExp, value: unknown) => typeof value === "string" && pattern.test(value);
const isObject = (value: unknown) => typeof value === "object" && !Array.isArray(value) && !isRawNumber(value);
const NONE = "none is not an allowed value";

const CHECKS: Readonly<Record<Exclude<Kind, "texts">, { fits(value: unknown): boolean; message: string }>> = {
  text: { fits: isText, message: "str type expected" },
  integer: {
    fits: (value) => isNumber(value) || matches(INTEGER, value),
    message: "value is not a valid integer",
  },
  float: { fits: (value) => isNumber(value) || matches(FLOAT, value), message: "value is not a valid float" },
  boolean: {
    fits: (value) => typeof value === "boolean" || value === 0 || value === 1 || matches(BOOLEAN, value),
    message: "value could not be parsed to a boolean",
  },
  // pydantic makes a dict of a list of pairs, so also of the empty list.
  object: {
    fits: (value) => isObject(value) || (Array.isArray(value) && value.length === 0),
    message: "value is not a valid dict",
  },
  list: { fits: Array.isArray, message: "value is not a valid list" },
};

/** @throws EndpointError `invalid_request` that lists every field of a wrong type. */
export function checkTypes(fields: Readonly<Record<string, Field>>, payload: object): void {
  const given = payload as Record<string, unknown>;
  const issues = Object.entries(fields).flatMap(([field, { type }]) =>
    given[field] === undefined ? [] : typeIssues(field, type, given[field]),
  );
  if (issues.length === 0) return;
  throw issuesError(issues);
}

/** What pydantic says of one value that is there. */
export function typeIssues(field: string, type: FieldType, value: unknown): FieldIssue[] {
  const kind = type.replace("!", "") as Kind;
  if (value === null) return type.endsWith("!") ? [{ field, message: NONE }] : [];
  if (kind !== "texts") return CHECKS[kind].fits(value) ? [] : [{ field, message: CHECKS[kind].message }];
  if (!Array.isArray(value)) return [{ field, message: CHECKS.list.message }];
  return value.flatMap((item, index) => typeIssues(`${field}.${index}`, "text!", item));
}
