/**
 * A1111's tags for LoRAs and the like, `<lora:name:0.8>`, and its comments.
 * Rules: A1111 v1.10.1, modules/extra_networks.py, extensions-builtin/Lora/extra_networks_lora.py, modules/processing_scripts/comments.py.
 */
import { parseFloatText, parseIntegerText } from "./python-text.ts";

export interface NetworkTag {
  /** As it stands in the prompt. */
  tag: string;
  /** `lora`, `lyco`, `hypernet`; A1111 takes others away and does nothing for them. */
  kind: string;
  positional: string[];
  named: Record<string, string>;
}

export interface LoraUse {
  name: string;
  /** Strengths for the text encoder and for the diffusion model. */
  textEncoder: number;
  unet: number;
  /** Rank that a dynamic LoRA is cut to. */
  dynamicRank?: number;
}

const TAG = /<([\p{L}\p{N}_]+):([^>]+)>/gu;

/** Takes the tags out of a prompt; the blanks around them stay. */
export function takeNetworkTags(prompt: string): { text: string; tags: NetworkTag[] } {
  const tags: NetworkTag[] = [];
  const text = prompt.replace(TAG, (tag: string, kind: string, value: string) => {
    const items = value.split(":");
    const pairs = items.map((item) => item.split("="));
    tags.push({
      tag,
      kind,
      positional: items.filter((_, index) => pairs[index]!.length !== 2),
      named: Object.fromEntries(pairs.filter((pair) => pair.length === 2)),
    });
    return "";
  });
  return { text, tags };
}

/**
 * What a LoRA tag asks for: the first number is the text encoder's strength, the second the diffusion model's.
 * @returns what is wrong with it, where A1111 fails (and then, without a word, draws with no LoRA at all).
 */
export function readLoraTag({ positional, named }: NetworkTag): LoraUse | { problem: string } {
  const [name, ...numbers] = positional;
  if (name === undefined) return { problem: "it has no name" };
  const problems: string[] = [];
  const read = (text: string | undefined, fallback: number) => {
    if (text === undefined) return fallback;
    const value = parseFloatText(text);
    if (value === undefined) problems.push(`"${text}" is no number`);
    return value ?? fallback;
  };
  const own = (key: string) => (Object.hasOwn(named, key) ? named[key] : undefined);
  const textEncoder = read(own("te"), read(numbers[0], 1));
  const unet = read(own("unet"), read(numbers[1], textEncoder));
  const rank = own("dyn") ?? numbers[2];
  const dynamicRank = rank === undefined ? undefined : parseIntegerText(rank);
  if (rank !== undefined && dynamicRank === undefined) problems.push(`"${rank}" is no integer`);
  if (problems[0] !== undefined) return { problem: problems[0] };
  return { name, textEncoder, unet, ...(dynamicRank !== undefined && { dynamicRank }) };
}

/** Takes `# comments` out: whole lines with the break before them, then the ends of lines. */
export const stripComments = (prompt: string): string =>
  prompt.replace(/(^|\n)#[^\n]*(?:\n|$)/g, "\n").replace(/#[^\n]*(?:\n|$)/g, "\n");
