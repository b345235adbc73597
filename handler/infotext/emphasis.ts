/** Tells whether a prompt weighs any of its words (A1111 v1.10.1, modules/prompt_parser.py, parse_prompt_attention). */

const TOKEN = /\\[\\()[\]]|\\|\(|\[|:\s*([+-]?[.\d]+)\s*\)|\)|\]|[^\\()[\]:]+|:/g;
/** Brackets are weighed against all text within; a text with more of them means to. */
const MAX_BRACKETS = 2_000;

const ROUND = 1.1;
const SQUARE = 1 / 1.1;

export function usesEmphasis(prompt: string): boolean {
  if ((prompt.match(/[()[\]]/g)?.length ?? 0) > MAX_BRACKETS) return true;
  const weights: number[] = [];
  const round: number[] = [];
  const square: number[] = [];
  const weigh = (start: number | undefined, factor: number) => {
    for (let index = start ?? weights.length; index < weights.length; index++) weights[index]! *= factor;
  };
  for (const [token, weight] of prompt.matchAll(TOKEN)) {
    if (token === "(") round.push(weights.length);
    else if (token === "[") square.push(weights.length);
    else if (weight !== undefined && round.length > 0) weigh(round.pop(), Number(weight));
    else if (token === ")" && round.length > 0) weigh(round.pop(), ROUND);
    else if (token === "]" && square.length > 0) weigh(square.pop(), SQUARE);
    // A BREAK splits a text into parts of equal weight, of which one tells as much as all.
    else weights.push(1);
  }
  for (const start of round) weigh(start, ROUND);
  for (const start of square) weigh(start, SQUARE);
  return weights.some((weight) => weight !== 1);
}
