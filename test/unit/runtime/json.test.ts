import { describe, expect, test } from "vitest";
import { exactInteger, isRawNumber, parseJson, parsePythonJson } from "../../../runtime/json.ts";

describe("the digits of an integer survive parsing and writing", () => {
  test.each([
    "0",
    "-1",
    "9007199254740991",
    "9007199254740992",
    "9007199254740993",
    "-9007199254740993",
    "18446744073709551615",
    "-18446744073709551616",
    "[1,18446744073709551615,[9007199254740993]]",
    '{"seed":12345678901234567890,"inputs":{"seed":-12345678901234567890}}',
    '"18446744073709551615"',
  ])("%s", (text) => {
    expect(JSON.stringify(parseJson(text))).toBe(text);
  });

  test("an integer that a double holds is an ordinary number", () => {
    expect(parseJson("9007199254740991")).toBe(Number.MAX_SAFE_INTEGER);
    expect(isRawNumber(parseJson("9007199254740991"))).toBe(false);
    expect(isRawNumber(parseJson("9007199254740993"))).toBe(true);
  });

  test.each(["1e20", "1.5", "0.1", "1e-7", "12345678901234567890.5"])("%s is no integer and stays a number", (text) => {
    expect(parseJson(text)).toBe(Number(text));
  });

  test.each([0n, -1n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 64n - 1n, -(2n ** 63n)])(
    "exactInteger writes %s digit for digit",
    (value) => {
      expect(JSON.stringify({ seed: exactInteger(value) })).toBe(`{"seed":${value}}`);
    },
  );
});

describe("what Python writes is read", () => {
  test.each<[string, unknown]>([
    ["NaN", null],
    ["[NaN, Infinity, -Infinity]", [null, null, null]],
    ['{"a": NaN, "b": {"c": -Infinity}}', { a: null, b: { c: null } }],
    ['{"a": NaN, "text": "NaN, Infinity and -Infinity"}', { a: null, text: "NaN, Infinity and -Infinity" }],
    ['{"NaN": NaN}', { NaN: null }],
    ['{"a": NaN, "text": "a \\"NaN\\" quoted"}', { a: null, text: 'a "NaN" quoted' }],
    ['{"text": "ends with a backslash \\\\", "a": NaN}', { text: "ends with a backslash \\", a: null }],
    ['{"text": "line\\nbreak", "a": NaN}', { text: "line\nbreak", a: null }],
    ['{"a": 1}', { a: 1 }],
  ])("%s", (text, value) => {
    expect(parsePythonJson(text)).toEqual(value);
  });

  test("64-bit digits survive beside a bare NaN", () => {
    const parsed = parsePythonJson('{"is_changed": NaN, "seed": 18446744073709551615}');
    expect(JSON.stringify(parsed)).toBe('{"is_changed":null,"seed":18446744073709551615}');
  });

  test("a text of five megabytes full of escapes stands beside a bare NaN", () => {
    const text = 'NaN \\"quoted\\"\\n'.repeat(350_000);
    const parsed = parsePythonJson(`{"text": "${text}", "is_changed": NaN}`) as Record<string, string>;
    expect(text.length).toBeGreaterThan(5e6);
    expect(parsed["is_changed"]).toBeNull();
    expect(parsed["text"]).toHaveLength(12 * 350_000 + 350_000);
  });

  test.each(["", "{", "{not json", "nan", "[NaN", '"NaN'])("%j is not JSON", (text) => {
    expect(() => parsePythonJson(text)).toThrow(SyntaxError);
  });
});

test.each(["NaN", "Infinity", "[-Infinity]"])("what callers send is strict: %s is refused", (text) => {
  expect(() => parseJson(text)).toThrow(SyntaxError);
});

describe("nesting", () => {
  const nested = (levels: number, innermost = "") => "[".repeat(levels) + innermost + "]".repeat(levels);

  test.each([
    ["plain", ""],
    ["with a 64-bit integer", "18446744073709551615"],
  ])("of 500 levels is read: %s", (_name, innermost) => {
    expect(JSON.stringify(parseJson(nested(500, innermost)))).toBe(nested(500, innermost));
  });

  test.each([502, 10_000, 1_000_000])("of %d levels is refused, before it overflows a stack", (levels) => {
    for (const parse of [parseJson, parsePythonJson])
      expect(() => parse(nested(levels))).toThrow(new SyntaxError("nested deeper than 500 levels"));
  });
});
