import fc from "fast-check";
import { expect, test } from "vitest";
import { isBreak, parseAttention } from "../../../workflows/prompt-attention.ts";
import recorded from "../../fixtures/sdapi/prompt-attention.json" with { type: "json" };

type Recorded = [prompt: string, result: [text: string, weight: number][] | { error: string }];

test.each(recorded.cases as unknown as Recorded[])("%j", (prompt, result) => {
  const { segments, badWeight } = parseAttention(prompt);
  if (Array.isArray(result)) {
    expect(segments.map(({ text, weight }) => [text, weight])).toEqual(result);
    expect(badWeight).toBeUndefined();
  } else expect(badWeight).toMatch(/^[.\d]+$/);
});

test("a BREAK in brackets is a word", () => {
  expect(parseAttention("a BREAK b").segments.map(isBreak)).toEqual([false, true, false]);
  expect(parseAttention("(a BREAK b)").segments.map(isBreak)).toEqual([false, false, false]);
});

test("digits of other scripts are digits", () => {
  expect(parseAttention("(a:१.५)(b:𝟙)").segments.map(({ weight }) => weight)).toEqual([1.5, 1]);
});

test("any text is parsed", () => {
  const piece = fc.constantFrom("(", ")", "[", "]", ":", "\\", "1.2", " ", "BREAK", "a", "\n", "|");
  const prompt = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(piece).map((pieces) => pieces.join("")),
  );
  fc.assert(fc.property(prompt, (text) => parseAttention(text).segments.length > 0));
});
