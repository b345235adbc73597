import fc from "fast-check";
import { expect, test } from "vitest";
import { splitComposition } from "../../../workflows/prompt-composition.ts";
import recorded from "../../fixtures/sdapi/prompt-multicond.json" with { type: "json" };

interface Recorded {
  indexes: [index: number, weight: number][][];
  flat: string[];
}

test.each(recorded.cases as unknown as [string[], Recorded][])("%j", (prompts, { indexes, flat }) => {
  const expected = indexes.map((parts) => parts.map(([index, weight]) => ({ text: flat[index], weight })));
  expect(prompts.map(splitComposition)).toEqual(expected);
});

test("any text is split, in time", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => splitComposition(text).length > 0));
  expect(splitComposition(`a${" ".repeat(20_000)}:${"1".repeat(5000)}${" ".repeat(20_000)}b`)).toHaveLength(1);
});
