import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { markedEmbeddings, toComfyuiText } from "../../../workflows/comfyui-text.ts";
import { parseAttention, type Segment } from "../../../workflows/prompt-attention.ts";
import recorded from "../../fixtures/sdapi/prompt-attention.json" with { type: "json" };

const emit = (prompt: string, embeddings: string[] = []) => toComfyuiText(parseAttention(prompt).segments, embeddings);

/** What ComfyUI 0.33 reads in a text, written anew from its rules: each group of brackets has its number, or 1.1 times the weight around it. */
function readAsComfyui(text: string): Segment[] {
  const read = (part: string, weight: number): Segment[] => {
    const pieces: string[] = [];
    let piece = "";
    let depth = 0;
    for (const character of part) {
      if (character === "(" && depth++ === 0) {
        if (piece !== "") pieces.push(piece);
        piece = "(";
      } else if (character === ")" && --depth === 0) {
        pieces.push(`${piece})`);
        piece = "";
      } else piece += character;
    }
    if (piece !== "") pieces.push(piece);
    return pieces.flatMap((it) => {
      if (!(it.length >= 2 && it.startsWith("(") && it.endsWith(")"))) return [{ text: it, weight }];
      const inner = it.slice(1, -1);
      const colon = inner.lastIndexOf(":");
      const number = colon > 0 ? inner.slice(colon + 1) : "";
      if (number.trim() === "" || Number.isNaN(Number(number))) return read(inner, weight * 1.1);
      return read(inner.slice(0, colon), Number(number));
    });
  };
  const hidden = text.replaceAll("\\)", "\0\x01").replaceAll("\\(", "\0\x02");
  return read(hidden, 1).map(({ text: it, weight }) => ({
    text: it.replaceAll("\0\x01", ")").replaceAll("\0\x02", "("),
    weight,
  }));
}

/** The weight of each character, but for the blank that keeps a backslash from a bracket. */
const weightsOf = (segments: readonly Segment[]) =>
  segments
    .flatMap(({ text, weight }) => [...text.replace(/\\ $/, "\\")].map((character) => [character, weight.toFixed(4)]))
    .map((pair) => pair.join(""));

test.each([
  ["(unbalanced", "(unbalanced:1.1)"],
  ["((house:1.3))", "(house:1.43)"],
  ["[low] quality", "(low:0.909091) quality"],
  ["miku \\(vocaloid\\)", "miku \\(vocaloid\\)"],
  [
    "a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).",
    "a (house:1.573)( :1.1)on( a :1.1)(hill:0.55)(, sun, :1.1)(sky:1.4641)(.:1.1)",
  ],
  ["a\\\\(b)", "a\\ (b:1.1)"],
  ["", ""],
  ["()", ""],
  ["a\0b", "ab"],
])("%j is %j", (prompt, text) => {
  expect(emit(prompt)).toBe(text);
});

describe("ComfyUI reads the weights that A1111 means", () => {
  const expectSame = (prompt: string) => {
    const { segments, badWeight } = parseAttention(prompt);
    if (badWeight !== undefined || segments.some(({ weight }) => Math.abs(weight) > 1e9)) return;
    const plain = segments.map(({ text, weight }) => ({ text: text.replaceAll("\0", ""), weight }));
    expect(weightsOf(readAsComfyui(toComfyuiText(segments)))).toEqual(weightsOf(plain));
  };

  test.each(recorded.cases.map(([prompt]) => prompt as string))("%j", expectSame);

  test("for any text", () => {
    const piece = fc.constantFrom("(", ")", "[", "]", ":", "\\", "1.2", ":0.5)", " ", "a", "bc", "\n", "-", ",");
    const prompt = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.array(piece).map((pieces) => pieces.join("")),
    );
    fc.assert(fc.property(prompt, expectSame));
  });
});

describe("embeddings", () => {
  const names = ["easynegative", "bad-hands-5", "bad", "sub/Deep"];

  test.each([
    ["easynegative", "embedding:easynegative"],
    ["EasyNegative, blurry", "embedding:easynegative, blurry"],
    ["a,bad,b", "a, embedding:bad ,b"],
    ["bad-hands-5 bad badly", "embedding:bad-hands-5 embedding:bad badly"],
    ["(bad:1.2) bad", "(embedding:bad:1.2) embedding:bad"],
    ["embedding:bad", "embedding:bad"],
    ["deep", "embedding:sub/Deep"],
    ["worst easynegative.", "worst easynegative."],
  ])("%j is %j", (prompt, text) => {
    expect(emit(prompt, names)).toBe(text);
  });

  test("marked ones are found", () => {
    expect(markedEmbeddings("embedding:a, b embedding:c,embedding: notembedding:d")).toEqual(["a", "c", ""]);
  });
});
