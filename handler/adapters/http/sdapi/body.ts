/** Request bodies as FastAPI 0.94 takes them: what counts as JSON, as no body, and as an object. */
import type { Context } from "hono";
import { isRawNumber, parseJson } from "../../../../runtime/json.ts";
import { findJsonMistake } from "../../../request/python-json.ts";
import { fieldError } from "./errors.ts";

const JSON_TYPE = /^application\/(?:[^;]*\+)?json\s*(?:;|$)/i;

/**
 * A parser for the body of one request.
 * @throws (the parser) SdapiError 422, as FastAPI tells it.
 */
export function sdapiBody(context: Context): (text: string) => Record<string, unknown> {
  const contentType = context.req.header("content-type");
  return (text) => {
    if (text === "") throw missing();
    if (contentType !== undefined && !JSON_TYPE.test(contentType)) throw notAnObject();
    const value = parse(text);
    if (value === null) throw missing();
    // pydantic makes a dict of any list of pairs; of those, clients send the empty one.
    if (Array.isArray(value) && value.length === 0) return {};
    if (typeof value !== "object" || Array.isArray(value) || isRawNumber(value)) throw notAnObject();
    return value as Record<string, unknown>;
  };
}

const missing = () => fieldError({ loc: ["body"], msg: "field required", type: "value_error.missing" });
const notAnObject = () => fieldError({ loc: ["body"], msg: "value is not a valid dict", type: "type_error.dict" });

function parse(text: string): unknown {
  try {
    return parseJson(text);
  } catch (cause) {
    throw malformed(text, cause as Error);
  }
}

/** A1111 hands the document back, whatever its length. */
const MAX_ECHO = 10_000;

/** As A1111 tells it. */
function malformed(text: string, cause: Error) {
  const { message, position } = findJsonMistake(text) ?? { message: cause.message, position: 0 };
  const before = text.slice(0, position);
  const line = before.split("\n").length;
  const column = position - before.lastIndexOf("\n");
  return fieldError({
    loc: ["body", position],
    msg: `${message}: line ${line} column ${column} (char ${position})`,
    type: "value_error.jsondecode",
    ctx: {
      msg: message,
      ...(text.length <= MAX_ECHO && { doc: text }),
      pos: position,
      lineno: line,
      colno: column,
    },
  });
}
