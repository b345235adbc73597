/** Text as Python writes and trims it, where A1111's infotext shows the difference. */

/** What `str.strip()` takes away. */
const BLANK = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const LEADING_BLANKS = new RegExp(`^[${BLANK}]+`);
const LAST_NON_BLANK = new RegExp(`[^${BLANK}]`);

export function strip(text: string): string {
  const start = text.replace(LEADING_BLANKS, "");
  let end = start.length;
  // Not `[...]+$`, which looks at a run of blanks once for each of them.
  while (end > 0 && !LAST_NON_BLANK.test(start[end - 1]!)) end--;
  return start.slice(0, end);
}

/** A number that is a float in A1111, also where it is whole: `7.0` in text, 7 in JSON. */
export class PythonFloat {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }

  /** Python's `repr`: an exponent below 1e-4 and from 1e16. */
  toString(): string {
    const [mantissa, digits] = this.value.toExponential().split("e");
    const exponent = Number(digits);
    if (exponent < -4 || exponent >= 16)
      return `${mantissa}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
    return Number.isInteger(this.value) ? `${this.value}.0` : String(this.value);
  }

  toJSON(): number {
    return this.value;
  }
}
