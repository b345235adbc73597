/** Reads infotexts as A1111 v1.10.1 does (modules/infotext_utils.py, parse_generation_parameters). */
import { Styles } from "../styles/styles.ts";
import { usesEmphasis } from "./emphasis.ts";
import { strip } from "./python.ts";
import { hasHiresStyles, oldBehaviour } from "./versions.ts";

/** By A1111's labels. What the text says is text; numbers and truth values are A1111's own defaults; the list is of styles' names. */
export type ParsedInfotext = Record<string, string | number | boolean | readonly string[]>;
type Found = Map<string, ParsedInfotext[string]>;

const NO_STYLES = new Styles();

const NEGATIVE = "Negative prompt:";
/** A line with fewer parameters is part of the prompt. */
const MIN_PARAMETERS = 3;

/** What stands for a parameter that the text does not have. */
const DEFAULTS: ParsedInfotext = {
  "Clip skip": "1",
  "Hires resize-1": 0,
  "Hires resize-2": 0,
  "Hires sampler": "Use same sampler",
  "Hires schedule type": "Use same scheduler",
  "Hires checkpoint": "Use same checkpoint",
  "Hires prompt": "",
  "Hires negative prompt": "",
  "Mask mode": "Inpaint masked",
  "Masked content": "original",
  "Inpaint area": "Whole picture",
  "Masked area padding": 32,
  RNG: "GPU",
  "Schedule type": "Automatic",
  "Schedule max sigma": 0,
  "Schedule min sigma": 0,
  "Schedule rho": 0,
  "VAE Encoder": "Full",
  "VAE Decoder": "Full",
  "FP8 weight": "Disable",
  "Refiner switch by sampling steps": false,
};

/**
 * Never throws: what cannot be read is prompt text. There always are `Prompt` and `Negative prompt`.
 * @param styles those that are looked for in the prompts, to be told as `Styles array`.
 */
export function parseInfotext(text: string, styles: Styles = NO_STYLES): ParsedInfotext {
  const lines = strip(text).split("\n");
  const parameters = findParameters(lines.at(-1)!);
  if (parameters.length >= MIN_PARAMETERS) lines.pop();
  const written = splitPrompts(lines);

  const found: Found = new Map();
  for (const [label, written] of parameters.length >= MIN_PARAMETERS ? parameters : []) {
    if (written === "") continue;
    const value = unquote(written);
    const size = /^(\p{Nd}+)x(\p{Nd}+)$/u.exec(value);
    if (size) found.set(`${label}-1`, size[1]!).set(`${label}-2`, size[2]!);
    else found.set(label, value);
  }
  const { prompt, negativePrompt } = takeStyles(found, written, styles);
  const hypernet = found.get("Hypernet");
  const tag = hypernet === undefined ? "" : `<hypernet:${hypernet}:${found.get("Hypernet strength") ?? "1.0"}>`;
  found.set("Prompt", prompt + tag).set("Negative prompt", negativePrompt);

  for (const [label, value] of Object.entries(DEFAULTS)) if (!found.has(label)) found.set(label, value);
  restoreFirstPassSize(found);
  if (!found.has("Cache FP16 weight for LoRA") && found.get("FP8 weight") !== DEFAULTS["FP8 weight"])
    found.set("Cache FP16 weight for LoRA", false);
  if (!found.has("Emphasis") && (usesEmphasis(prompt) || usesEmphasis(negativePrompt)))
    found.set("Emphasis", "Original");
  for (const [label, value] of Object.entries(oldBehaviour(found))) found.set(label, value);
  return Object.fromEntries(found);
}

interface WrittenPrompts {
  prompt: string;
  negativePrompt: string;
}

function splitPrompts(lines: readonly string[]): WrittenPrompts {
  const texts = { prompt: "", negativePrompt: "" };
  let current: keyof typeof texts = "prompt";
  for (const untrimmed of lines) {
    let line = strip(untrimmed);
    if (line.startsWith(NEGATIVE)) {
      current = "negativePrompt";
      line = strip(line.slice(NEGATIVE.length));
    }
    texts[current] += (texts[current] === "" ? "" : "\n") + line;
  }
  return texts;
}

/** A label of two or more characters and its colon. The look behind keeps the search linear where there is no colon. */
const LABEL = /(?<![\p{L}\p{N}_ \-/])[ \-/]*([\p{L}\p{N}_][\p{L}\p{N}_ \-/]+):\s*/gu;

/** Labels and values as they stand; a value reaches to the next comma, or to the quote that ends it. */
function findParameters(line: string): [label: string, value: string][] {
  const parameters: [string, string][] = [];
  LABEL.lastIndex = 0;
  for (let match = LABEL.exec(line); match; match = LABEL.exec(line)) {
    const start = LABEL.lastIndex;
    const end = endOfQuoted(line, start) ?? indexOrEnd(line, ",", start);
    parameters.push([match[1]!, line.slice(start, end)]);
    LABEL.lastIndex = end + 1;
  }
  return parameters;
}

const indexOrEnd = (text: string, part: string, from: number) => {
  const index = text.indexOf(part, from);
  return index < 0 ? text.length : index;
};

/** @returns undefined unless a quoted value starts here and a comma or the end follows it. */
function endOfQuoted(line: string, start: number): number | undefined {
  if (line[start] !== '"') return undefined;
  let end = start + 1;
  while (end < line.length && line[end] !== '"') end += line[end] === "\\" ? 2 : 1;
  const after = line[end + 1];
  return end < line.length && (after === undefined || after === ",") ? end + 1 : undefined;
}

/** JSON in double quotes is read, all else stays as it is. */
export function unquote(text: string): string {
  if (!text.startsWith('"') || !text.endsWith('"')) return text;
  try {
    return JSON.parse(text) as string;
  } catch {
    return text;
  }
}

/**
 * Takes the styles out of the prompts, unless those of hires fix have others; a hires prompt that says what the prompt says is none.
 * @returns the prompts without styles.
 */
function takeStyles(found: Found, written: WrittenPrompts, styles: Styles): WrittenPrompts {
  const { names, ...bare } = styles.extract(written);
  const [positive, negative] = [found.get("Hires prompt"), found.get("Hires negative prompt")];
  if ((positive !== undefined || negative !== undefined) && hasHiresStyles(found.get("Version"))) {
    const hires = styles.extract({
      prompt: String(positive ?? written.prompt),
      negativePrompt: String(negative ?? written.negativePrompt),
    });
    if (hires.names.join("\n") !== names.join("\n")) return written;
    found.set("Hires prompt", hires.prompt === bare.prompt ? "" : hires.prompt);
    found.set("Hires negative prompt", hires.negativePrompt === bare.negativePrompt ? "" : hires.negativePrompt);
  }
  if (names.length > 0) found.set("Styles array", names);
  return bare;
}

/** Before A1111 1.0 `Size` was the hires size, and the first pass had its own entry; 0x0 let A1111 choose. */
function restoreFirstPassSize(found: Found): void {
  const [firstWidth, firstHeight] = [found.get("First pass size-1"), found.get("First pass size-2")];
  if (firstWidth === undefined || firstHeight === undefined) return;
  const [width, height] = [Number(found.get("Size-1") ?? 512), Number(found.get("Size-2") ?? 512)];
  const isChosen = Number(firstWidth) > 0 && Number(firstHeight) > 0;
  const scale = Math.sqrt((512 * 512) / (width * height));
  const firstPass = (size: number) => Math.ceil((scale * size) / 64) * 64;
  found.set("Size-1", isChosen ? Number(firstWidth) : firstPass(width));
  found.set("Size-2", isChosen ? Number(firstHeight) : firstPass(height));
  found.set("Hires resize-1", width).set("Hires resize-2", height);
}
