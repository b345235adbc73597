/** Where and why Python's JSON reader stops: A1111's clients show its words. */

export interface JsonMistake {
  /** Python's words, from its `json/decoder.py`. */
  message: string;
  /** Characters from the start of the text. */
  position: number;
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
const BLANKS = /[ \t\n\r]*/y;
const NAME_EXPECTED = "Expecting property name enclosed in double quotes";

/** The first mistake of a text; undefined when there is none. Not recursive: the text may be nested as deep as it is long. */
export function findJsonMistake(text: string): JsonMistake | undefined {
  try {
    new Scanner(text).scan();
    return undefined;
  } catch (mistake) {
    if (mistake instanceof Mistake) return { message: mistake.message, position: mistake.position };
    throw mistake;
  }
}

class Mistake extends Error {
  readonly position: number;

  constructor(message: string, position: number) {
    super(message);
    this.position = position;
  }
}

class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  scan(): void {
    const open: ("{" | "[")[] = [];
    this.#blanks();
    for (;;) {
      const opened = this.#value();
      if (opened !== undefined) {
        open.push(opened);
        continue;
      }
      if (!this.#closeAll(open)) break;
    }
    if (this.#at < this.#text.length) throw new Mistake("Extra data", this.#at);
  }

  /** One value; or the opening of one that is not empty, up to where its first value stands. */
  #value(): "{" | "[" | undefined {
    const start = this.#at;
    const character = this.#text[start];
    if (character === '"') {
      this.#at++;
      return this.#string();
    }
    if (character === "{" || character === "[") {
      this.#at++;
      this.#blanks();
      if (this.#text[this.#at] === (character === "{" ? "}" : "]")) {
        this.#at++;
        return undefined;
      }
      if (character === "{") this.#name();
      return character;
    }
    if (!this.#skip(NUMBER)) throw new Mistake("Expecting value", start);
    return undefined;
  }

  /** After a value: a comma leads to the next one (true), the end of everything to none (false). */
  #closeAll(open: ("{" | "[")[]): boolean {
    for (;;) {
      this.#blanks();
      const inside = open.at(-1);
      if (inside === undefined) return false;
      const character = this.#text[this.#at];
      if (character === ",") {
        this.#at++;
        this.#blanks();
        if (inside === "{") this.#name();
        return true;
      }
      if (character !== (inside === "{" ? "}" : "]")) throw new Mistake("Expecting ',' delimiter", this.#at);
      this.#at++;
      open.pop();
    }
  }

  /** A name, its colon, and the blanks around it. */
  #name(): void {
    if (this.#text[this.#at] !== '"') throw new Mistake(NAME_EXPECTED, this.#at);
    this.#at++;
    this.#string();
    this.#blanks();
    if (this.#text[this.#at] !== ":") throw new Mistake("Expecting ':' delimiter", this.#at);
    this.#at++;
    this.#blanks();
  }

  #string(): undefined {
    const start = this.#at - 1;
    for (; ; this.#at++) {
      const character = this.#text[this.#at];
      if (character === undefined) throw new Mistake("Unterminated string starting at", start);
      if (character === '"') break;
      if (character < " ") throw new Mistake("Invalid control character at", this.#at);
      if (character === "\\") this.#escape(start);
    }
    this.#at++;
  }

  #escape(start: number): void {
    const escaped = this.#text[++this.#at];
    if (escaped === undefined) throw new Mistake("Unterminated string starting at", start);
    if (escaped === "u") {
      if (!/^[0-9a-f]{4}$/i.test(this.#text.slice(this.#at + 1, this.#at + 5)))
        throw new Mistake("Invalid \\uXXXX escape", this.#at);
      this.#at += 4;
    } else if (!'"\\/bfnrt'.includes(escaped)) throw new Mistake("Invalid \\escape", this.#at - 1);
  }

  #blanks(): void {
    this.#skip(BLANKS);
  }

  #skip(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    this.#at += found?.[0].length ?? 0;
    return found !== null;
  }
}
