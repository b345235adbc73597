/** A1111's attention syntax: `(more)`, `[less]`, `(text:1.3)`, `\(escaped\)`, `BREAK`. Rules: A1111 v1.10.1, modules/prompt_parser.py parse_prompt_attention. */
import { parseFloatText, SPACE, wholeWord } from "./python-text.ts";

export interface Segment {
  text: string;
  weight: number;
}

export interface Attention {
  /** At least one; {@link isBreak} tells which of them separate chunks. */
  segments: Segment[];
  /** A weight such as `1.2.3` that is no number, for which A1111 fails. */
  badWeight?: string;
}

const BREAK_WORD = "BREAK";
const ROUND = 1.1;
const SQUARE = 1 / 1.1;

const TOKEN = new RegExp(
  String.raw`\\[()\[\]\\]|\\|\(|\[|:[${SPACE}]*([+-]?[.\p{Nd}]+)[${SPACE}]*\)|\)|\]|[^\\()\[\]:]+|:`,
  "gu",
);
const BREAK = new RegExp(`[${SPACE}]*${wholeWord(BREAK_WORD)}[${SPACE}]*`, "u");

/** Whether a chunk ends here. A BREAK inside of brackets has their weight, and is a word like any other. */
export const isBreak = ({ text, weight }: Segment) => text === BREAK_WORD && weight === -1;

/** Splits a prompt into texts of one weight each; weights multiply through the brackets, and open brackets reach to the end. */
export function parseAttention(prompt: string): Attention {
  const found: Segment[] = [];
  const round: number[] = [];
  const square: number[] = [];
  let badWeight: string | undefined;
  const multiply = (start: number, factor: number) => {
    for (const segment of found.slice(start)) segment.weight *= factor;
  };
  for (const [token, weight] of prompt.matchAll(TOKEN)) {
    if (token.startsWith("\\")) found.push({ text: token.slice(1), weight: 1 });
    else if (token === "(") round.push(found.length);
    else if (token === "[") square.push(found.length);
    else if (weight !== undefined && round.length > 0) {
      const factor = parseFloatText(weight);
      if (factor === undefined) badWeight ??= weight;
      multiply(round.pop()!, factor ?? 1);
    } else if (token === ")" && round.length > 0) multiply(round.pop()!, ROUND);
    else if (token === "]" && square.length > 0) multiply(square.pop()!, SQUARE);
    else {
      for (const [index, text] of token.split(BREAK).entries()) {
        if (index > 0) found.push({ text: BREAK_WORD, weight: -1 });
        found.push({ text, weight: 1 });
      }
    }
  }
  for (const start of round) multiply(start, ROUND);
  for (const start of square) multiply(start, SQUARE);
  return { segments: merge(found), ...(badWeight !== undefined && { badWeight }) };
}

/** Neighbours of equal weight become one. */
function merge(found: readonly Segment[]): Segment[] {
  const segments: Segment[] = [];
  for (const segment of found) {
    const last = segments.at(-1);
    if (last?.weight === segment.weight) last.text += segment.text;
    else segments.push({ ...segment });
  }
  return segments.length > 0 ? segments : [{ text: "", weight: 1 }];
}
