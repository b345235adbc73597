import { describe, expect, test } from "vitest";
import { Styles } from "../../../../handler/styles/styles.ts";
import recorded from "../../../fixtures/sdapi/styles.json" with { type: "json" };
import { thrownBy } from "../../../support/thrown.ts";

const STYLES = new Styles(
  recorded.styles.map(({ name, prompt, negative_prompt }) => ({ name, prompt, negativePrompt: negative_prompt })),
);

type Case = [prompt: string, negative: string, names: string[], newPrompt: string, newNegative: string];

test("all that A1111 was asked is asked here", () => {
  expect([recorded.apply.length, recorded.extract.length]).toEqual([100, 18]);
});

describe("styles are put around prompts as A1111 does", () => {
  test.each(recorded.apply as Case[])("%j, %j, %j", (prompt, negativePrompt, names, newPrompt, newNegative) => {
    expect(STYLES.apply({ prompt, negativePrompt }, names)).toEqual({ prompt: newPrompt, negativePrompt: newNegative });
  });
});

describe("styles are found in prompts as A1111 does", () => {
  test.each(recorded.extract as Case[])("%j, %j", (prompt, negativePrompt, names, newPrompt, newNegative) => {
    const expected = { prompt: newPrompt, negativePrompt: newNegative, names };
    expect(STYLES.extract({ prompt, negativePrompt })).toEqual(expected);
  });
});

test("a prompt's own signs are no pattern", () => {
  expect(STYLES.apply({ prompt: "$& $1 {prompt}", negativePrompt: "" }, ["photo"]).prompt).toBe(
    "photo of $& $1 {prompt}, 8k",
  );
});

test.each(["twice", "photo", "masterpiece"])("%s is not applied without end", (name) => {
  const names = Array.from({ length: 100_000 }, () => name);
  const error = thrownBy(() => STYLES.apply({ prompt: "a cat", negativePrompt: "" }, names));
  expect(error).toMatchObject({ code: "invalid_request", message: "styles: the prompt gets too long" });
});

test("names are taken as they are, also those that every object has", () => {
  expect(STYLES.apply({ prompt: "a cat", negativePrompt: "" }, ["constructor", "__proto__"]).prompt).toBe("a cat");
});
