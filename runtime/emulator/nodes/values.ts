/** Primitives and texts. */
import { effectful, type Inputs, pure } from "./inputs.ts";
import type { NodeImplementation } from "./node.ts";

const sameValue = pure((inputs) => [inputs.raw["value"]]);

/** Python's way to show a value: texts as they are, structures as JSON. */
function shown(value: unknown): string {
  if (value === undefined || value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value !== "object") return String(value);
  return "kind" in value ? `<${String(value.kind)}>` : JSON.stringify(value, undefined, 4);
}

const join = (inputs: Inputs) => `${inputs.text("string_a")}${inputs.text("delimiter")}${inputs.text("string_b")}`;

export const VALUES: Record<string, NodeImplementation> = {
  PrimitiveString: sameValue,
  PrimitiveStringMultiline: sameValue,
  PrimitiveInt: sameValue,
  PrimitiveFloat: sameValue,
  PrimitiveBoolean: sameValue,
  StringConcatenate: pure((inputs) => [join(inputs)]),
  PreviewAny: effectful(async (inputs) => {
    const text = shown(inputs.raw["source"]);
    return { outputs: [text], ui: { text: [text] } };
  }),
};
