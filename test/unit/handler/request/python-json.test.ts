import fc from "fast-check";
import { expect, test } from "vitest";
import { findJsonMistake } from "../../../../handler/request/python-json.ts";

/** What `json.loads` of Python 3.11 said. */
test.each<[text: string, message: string, position: number]>([
  ["{", "Expecting property name enclosed in double quotes", 1],
  ['{"prompt":"a",}', "Expecting property name enclosed in double quotes", 14],
  ["{'prompt':'a'}", "Expecting property name enclosed in double quotes", 1],
  ["", "Expecting value", 0],
  ["  ", "Expecting value", 2],
  ["[1,", "Expecting value", 3],
  ["[1,]", "Expecting value", 3],
  ["[1 2]", "Expecting ',' delimiter", 3],
  ['{"a" 1}', "Expecting ':' delimiter", 5],
  ['{"a":}', "Expecting value", 5],
  ['{"a":1 "b":2}', "Expecting ',' delimiter", 7],
  ['"abc', "Unterminated string starting at", 0],
  ['"a\nb"', "Invalid control character at", 2],
  ['"\\x"', "Invalid \\escape", 1],
  ['"\\u12"', "Invalid \\uXXXX escape", 2],
  ["tru", "Expecting value", 0],
  ["1 2", "Extra data", 2],
  ["[[[", "Expecting value", 3],
  ['{"a":[1,{"b":2]}', "Expecting ',' delimiter", 14],
  ['"\\', "Unterminated string starting at", 0],
  ['{"a":1,', "Expecting property name enclosed in double quotes", 7],
  ["-", "Expecting value", 0],
  ["01", "Extra data", 1],
  ["nul", "Expecting value", 0],
  ['{"a":1}}', "Extra data", 7],
  ["[1,2", "Expecting ',' delimiter", 4],
  ['{"a"', "Expecting ':' delimiter", 4],
  ['{"a":', "Expecting value", 5],
  ['  {"x": [tru]}', "Expecting value", 9],
])("%j: %s at %d", (text, message, position) => {
  expect(findJsonMistake(text)).toEqual({ message, position });
});

test("a mistake is found exactly where JSON.parse finds one", () => {
  const pieces = ["{", "}", "[", "]", ",", ":", '"a"', '"', "\\", "1", "-", ".5", "true", "null", " ", "\n", "x"];
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 12 }), (parts) => {
      const text = parts.join("");
      expect(findJsonMistake(text) === undefined, text).toBe(isJson(text));
    }),
    { numRuns: 2000 },
  );
  fc.assert(fc.property(fc.json(), (text) => findJsonMistake(text) === undefined));
});

test("depth costs no stack", () => {
  expect(findJsonMistake("[".repeat(1_000_000))).toEqual({ message: "Expecting value", position: 1_000_000 });
});

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
