/** A1111's composition: `one AND another :0.5`. Rules: A1111 v1.10.1, modules/prompt_parser.py get_multicond_prompt_list. */
import { parseFloatText, SPACE, wholeWord } from "./python-text.ts";

export interface PromptPart {
  text: string;
  weight: number;
}

const AND = new RegExp(wholeWord("AND"), "u");
const NUMBER = new RegExp(String.raw`^[${SPACE}]*([-+]?(?:\p{Nd}+\.?|\p{Nd}*\.\p{Nd}+))$`, "u");
const BLANK = new RegExp(`[${SPACE}]`, "u");

/** The parts that are drawn together, each with its weight: the number after the last colon of a part. */
export function splitComposition(prompt: string): PromptPart[] {
  return prompt.split(AND).map((part) => {
    const text = withoutBlankEnd(part);
    const colon = text.lastIndexOf(":");
    const weight = colon < 0 ? undefined : NUMBER.exec(text.slice(colon + 1))?.[1];
    if (weight === undefined) return { text, weight: 1 };
    return { text: withoutBlankEnd(text.slice(0, colon)), weight: parseFloatText(weight)! };
  });
}

/** By hand: a pattern for blanks at the end takes time that grows with the square of blanks elsewhere. */
function withoutBlankEnd(text: string): string {
  let end = text.length;
  while (end > 0 && BLANK.test(text[end - 1]!)) end--;
  return text.slice(0, end);
}
