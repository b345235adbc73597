/** What Python's regular expressions and `float` call blanks, word characters and numbers: A1111's prompt syntax is defined by them. */

/** For use inside `[...]` of a regular expression with the flag `u` or `v`: Python's `\s` (JavaScript's also holds U+FEFF, and lacks the separators below U+0020). */
export const SPACE = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";

const WORD = "\\p{L}\\p{N}_";

/** Source of a pattern that matches a whole word, as `\bword\b` does in Python. */
export const wholeWord = (source: string) => `(?<![${WORD}])(?:${source})(?![${WORD}])`;

const FLOAT = /^[+-]?(?:(?:\d+(?:_\d+)*\.?(?:\d+(?:_\d+)*)?|\.\d+(?:_\d+)*)(?:e[+-]?\d+)?|inf(?:inity)?|nan)$/i;
const INTEGER = /^[+-]?\d+(?:_\d+)*$/;
const MARGINS = new RegExp(`^[${SPACE}]+|[${SPACE}]+$`, "gu");

/** Python's `float(text)`: blanks around it, `inf`, `nan` and the digits of every script are numbers too. Undefined where Python raises. */
export function parseFloatText(text: string): number | undefined {
  const plain = withAsciiDigits(text.replace(MARGINS, ""));
  if (!FLOAT.test(plain)) return undefined;
  const word = plain.toLowerCase();
  if (word.endsWith("nan")) return Number.NaN;
  if (word.includes("inf")) return word.startsWith("-") ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  return Number(plain.replaceAll("_", ""));
}

/** Python's `int(text)`. Undefined where Python raises. */
export function parseIntegerText(text: string): number | undefined {
  const plain = withAsciiDigits(text.replace(MARGINS, ""));
  return INTEGER.test(plain) ? Number(plain.replaceAll("_", "")) : undefined;
}

/** Unicode has decimal digits in runs of ten, zero first. */
function withAsciiDigits(text: string): string {
  return text.replace(/\p{Nd}/gu, (digit) => {
    if (digit <= "9") return digit;
    const code = digit.codePointAt(0)!;
    let first = code;
    while (/\p{Nd}/u.test(String.fromCodePoint(first - 1))) first--;
    return String((code - first) % 10);
  });
}
