import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseInfotext, unquote } from "../../../../handler/infotext/parse.ts";
import { Styles } from "../../../../handler/styles/styles.ts";
import recorded from "../../../fixtures/sdapi/infotext-parse.json" with { type: "json" };

type Values = Record<string, unknown>;

/** Those that `parse_with_styles` was recorded with. */
const STYLES = new Styles([
  { name: "photo", prompt: "photo of {prompt}, 8k", negativePrompt: "blurry" },
  { name: "best", prompt: "masterpiece, best quality", negativePrompt: "lowres" },
]);
const CASES = [
  ...recorded.parse.map((it) => [...it, undefined]),
  ...recorded.parse_with_styles.map((it) => [...it, STYLES]),
] as [string, Values, Styles | undefined][];

describe("all that A1111 read", () => {
  test("none is left out", () => {
    expect(CASES).toHaveLength(261);
  });

  test.each(CASES)("%j", (text, expected, styles) => {
    const defaults = Object.entries(recorded.injected_defaults as Values);
    const parsed: Values = parseInfotext(text, styles);
    for (const [label, value] of defaults) if (!(label in expected)) expect(parsed[label], label).toEqual(value);
    const isInjected = ([label, value]: [string, unknown]) =>
      !(label in expected) && defaults.some(([known, fallback]) => known === label && fallback === value);
    expect(Object.fromEntries(Object.entries(parsed).filter((entry) => !isInjected(entry)))).toEqual(expected);
  });
});

test.each(recorded.unquote as [string, string][])("unquote %j", (text, value) => {
  expect(unquote(text)).toBe(value);
});

test("any text is read", () => {
  const pieces = fc.constantFrom(
    "\n",
    ":",
    ",",
    '"',
    "\\",
    "(",
    ")",
    "[",
    "]",
    "Steps: 1, ",
    "1x2",
    " ",
    "BREAK",
    "__proto__",
  );
  const text = fc.array(fc.oneof(pieces, fc.string({ unit: "binary" }))).map((parts) => parts.join(""));
  fc.assert(
    fc.property(text, (given) => {
      expect(parseInfotext(given)).toMatchObject({ Prompt: expect.any(String), "Negative prompt": expect.any(String) });
    }),
  );
});

describe("a megabyte is read at once, whatever it is of", () => {
  test.each(["a", " ", "a ", "a:", '"', 'aa:"', '\\"', "(a", "[a", "(:1", "BREAK ", "a, ", "\n", "a b: c, "])(
    "%j",
    (piece) => {
      const start = performance.now();
      parseInfotext(piece.repeat(1e6 / piece.length));
      expect(performance.now() - start).toBeLessThan(2_000);
    },
  );
});
