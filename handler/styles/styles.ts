/** A1111's styles: texts that are put around prompts, and found again in them (v1.10.1, modules/styles.py). */
import { EndpointError } from "../../runtime/errors.ts";
import { strip } from "../infotext/python.ts";

export interface Style {
  name: string;
  prompt: string;
  negativePrompt: string;
}

interface Prompts {
  prompt: string;
  negativePrompt: string;
}

const PLACE = "{prompt}";
/** As long as a request's own prompt may be: a style that names its place twice doubles the prompt each time it is asked for. */
const MAX_PROMPT = 30_000;

export class Styles {
  readonly #byName: ReadonlyMap<string, Style>;

  /** @param styles in their order; of two with one name the latter counts. */
  constructor(styles: readonly Style[] = []) {
    this.#byName = new Map(styles.map((style) => [style.name, style]));
  }

  get all(): Style[] {
    return [...this.#byName.values()];
  }

  has(name: string): boolean {
    return this.#byName.has(name);
  }

  /**
   * The prompts with the styles of these names, one after the other; what is no style's name does nothing.
   * @throws EndpointError `invalid_request` for what gets too long.
   */
  apply({ prompt, negativePrompt }: Prompts, names: readonly string[]): Prompts {
    const styles = names.flatMap((name) => this.#byName.get(name) ?? NO_STYLE);
    return {
      prompt: styles.reduce((text, style) => merge(style.prompt, text), prompt),
      negativePrompt: styles.reduce((text, style) => merge(style.negativePrompt, text), negativePrompt),
    };
  }

  /** The styles that prompts were made with, in the order in which to apply them, and the prompts without. */
  extract(given: Prompts): Prompts & { names: string[] } {
    let prompts = given;
    const names: string[] = [];
    const left = new Set(this.#byName.values());
    for (;;) {
      const found = first(left, (style) => without(style, prompts));
      if (found === undefined) return { ...prompts, names: names.reverse() };
      left.delete(found.item);
      names.push(found.item.name);
      prompts = found.result;
    }
  }
}

/** An unknown name stands for this one, which still trims the prompt. */
const NO_STYLE: Style = { name: "None", prompt: "", negativePrompt: "" };

function merge(style: string, prompt: string): string {
  const pieces = style.split(PLACE);
  if (prompt.length * Math.max(1, pieces.length - 1) + style.length > MAX_PROMPT && style !== "")
    throw new EndpointError("invalid_request", "styles: the prompt gets too long", { details: { field: "styles" } });
  if (pieces.length > 1) return pieces.join(prompt);
  return [strip(prompt), strip(style)].filter(Boolean).join(", ");
}

/** @returns undefined unless both prompts were made with this style. */
function without({ prompt, negativePrompt }: Style, given: Prompts): Prompts | undefined {
  if (prompt === "" && negativePrompt === "") return undefined;
  const positive = unmerge(prompt, given.prompt);
  const negative = unmerge(negativePrompt, given.negativePrompt);
  return positive === undefined || negative === undefined ? undefined : { prompt: positive, negativePrompt: negative };
}

function unmerge(style: string, prompt: string): string | undefined {
  const text = strip(prompt);
  const [before = "", ...after] = strip(style).split(PLACE);
  if (after.length > 0) {
    const rest = after.join(PLACE);
    if (!text.startsWith(before) || !text.endsWith(rest)) return undefined;
    return text.slice(before.length, Math.max(before.length, text.length - rest.length));
  }
  if (!text.endsWith(before)) return undefined;
  return text.slice(0, text.length - before.length).replace(/, $/, "");
}

function first<T, R>(items: Iterable<T>, find: (item: T) => R | undefined): { item: T; result: R } | undefined {
  for (const item of items) {
    const result = find(item);
    if (result !== undefined) return { item, result };
  }
  return undefined;
}
