/** The checks of one input: its literal's type, range and list, or the type that its link brings. */
import { comboOptions, type InputSpec } from "./catalogue.ts";
import { isEqual, isLess, PythonError, repr, str, toFloat, toInt, truthy, typeName } from "./python.ts";

export interface InputError {
  type: string;
  message: string;
  details: string;
  extra_info: Record<string, unknown>;
}

/** Lists longer than this are neither quoted nor sent back. */
const QUOTED_LIST_LENGTH = 20;

const CONVERSIONS: Record<string, (value: unknown) => unknown> = {
  INT: toInt,
  FLOAT: toFloat,
  STRING: str,
  BOOLEAN: truthy,
};

export function failure(
  type: string,
  message: string,
  details: string,
  extra_info: Record<string, unknown> = {},
): InputError {
  return { type, message, details, extra_info };
}

/** Converts a literal in place and checks its range or list. */
export function convertAndCheck(
  inputs: Record<string, unknown>,
  name: string,
  spec: InputSpec,
  isSelfValidated: boolean,
): InputError | undefined {
  const [type, options = {}] = spec;
  let value = inputs[name];
  if (typeName(value) === "dict" && Object.hasOwn(value as object, "__value__"))
    value = (value as Record<string, unknown>)["__value__"];
  const config = { input_name: name, input_config: inputConfig(spec) };
  const convert = typeof type === "string" ? CONVERSIONS[type] : undefined;
  try {
    if (convert !== undefined) value = convert(value);
  } catch (error) {
    if (!(error instanceof PythonError)) throw error;
    const extra = { ...config, received_value: value, exception_message: error.message };
    return failure(
      "invalid_input_type",
      `Failed to convert an input value to a ${str(type)} value`,
      `${name}, ${str(value)}, ${error.message}`,
      extra,
    );
  }
  inputs[name] = value;
  if (isSelfValidated) return undefined;
  const received = { ...config, received_value: value };
  if (options["min"] !== undefined && isLess(value, options["min"]))
    return failure(
      "value_smaller_than_min",
      `Value ${str(value)} smaller than min of ${str(options["min"])}`,
      name,
      received,
    );
  if (options["max"] !== undefined && isLess(options["max"], value))
    return failure(
      "value_bigger_than_max",
      `Value ${str(value)} bigger than max of ${str(options["max"])}`,
      name,
      received,
    );

  const choices = comboOptions(spec);
  if (choices === undefined) return undefined;
  const chosen = options["multiselect"] === true && Array.isArray(value) ? value : [value];
  const unknown = chosen.filter((item) => !choices.some((choice) => isEqual(choice, item)));
  if (unknown.length === 0) return undefined;
  const isLong = choices.length > QUOTED_LIST_LENGTH;
  const list = isLong ? `(list of length ${choices.length})` : repr(choices);
  const extra = { ...received, input_config: isLong ? null : config.input_config };
  return failure(
    "value_not_in_list",
    "Value not in list",
    `${name}: ${unknown.map(repr).join(", ")} not in ${list}`,
    extra,
  );
}

export function inputConfig([type, options]: InputSpec): unknown[] {
  return [type, options ?? {}];
}

/** Types match when they are equal, share a member of their comma lists, or either is a wildcard. */
export function typesMatch(received: unknown, expected: unknown): boolean {
  if (isEqual(received, expected)) return true;
  if ([received, expected].some((type) => type === "*" || type === "COMFY_MATCHTYPE_V3")) return true;
  if (Array.isArray(received) && expected === "COMBO") return true;
  if (typeof received !== "string" || typeof expected !== "string") return false;
  const [left, right] = [received, expected].map((list) => new Set(list.split(",").map((type) => type.trim()))) as [
    Set<string>,
    Set<string>,
  ];
  return left.has("*") || right.has("*") || !left.isDisjointFrom(right);
}
