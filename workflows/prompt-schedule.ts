/**
 * A1111's prompts that change while a picture is drawn: `[from:to:when]`, `[to:when]`, `[from::when]`, `[a|b|c]`.
 * Rules: A1111 v1.10.1, modules/prompt_parser.py schedule_parser and get_learned_conditioning_prompt_schedules.
 * Its grammar takes a stray bracket beside a schedule either way, by the order of hashes; here the schedule wins.
 */
import { SPACE } from "./python-text.ts";

export type ScheduleNode =
  | { kind: "text"; text: string }
  | { kind: "scheduled"; before: ScheduleNode[]; after: ScheduleNode[]; when: string }
  | { kind: "alternate"; choices: ScheduleNode[][] };

export interface SchedulePass {
  /** Model calls of the pass, for which second-order samplers count double. */
  steps: number;
  /** Set for the second pass of hires fix, whose times go on from the first: calls of the first pass. */
  callsBefore?: number;
  /** A1111's option `use_old_scheduling`: numbers below 1 are shares, others steps, and a second pass counts as the first. */
  isOldTiming?: boolean;
}

/** A text, and the last step (from 1) that it holds for. */
export interface ScheduledText {
  until: number;
  text: string;
}

/** A1111 fails on deeper ones, as its own parser recurses. */
const MAX_DEPTH = 200;

const PLAIN = /(?:[^\\[\]():|]|\\[^\n])+/uy;
const WHEN = new RegExp(
  String.raw`[${SPACE}]*([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)[${SPACE}]*\]`,
  "uy",
);

/** The parts of a prompt; one that A1111's grammar does not take is one literal text. */
export function parseSchedule(prompt: string): ScheduleNode[] {
  const literal: ScheduleNode[] = [{ kind: "text", text: prompt }];
  if (depthOf(prompt) > MAX_DEPTH) return literal;
  const parser = new ScheduleParser(prompt);
  const nodes: ScheduleNode[] = [];
  let position = 0;
  while (position < prompt.length) {
    const item = parser.item(position);
    if (item === undefined && !"[]():".includes(prompt[position]!)) return literal;
    nodes.push(...(item?.nodes ?? [{ kind: "text" as const, text: prompt[position]! }]));
    position = item?.end ?? position + 1;
  }
  return nodes;
}

interface Parsed {
  nodes: ScheduleNode[];
  end: number;
}

/** What follows a position does not depend on what precedes it, so each is looked at once. */
class ScheduleParser {
  readonly #prompt: string;
  readonly #items = new Map<number, Parsed | undefined>();

  constructor(prompt: string) {
    this.#prompt = prompt;
  }

  item(start: number): Parsed | undefined {
    if (!this.#items.has(start)) this.#items.set(start, this.#parseItem(start));
    return this.#items.get(start);
  }

  #parseItem(start: number): Parsed | undefined {
    const opener = this.#prompt[start];
    if (opener === "(") return this.#round(start);
    if (opener === "[") return this.#square(start);
    PLAIN.lastIndex = start;
    const text = PLAIN.exec(this.#prompt)?.[0];
    return text === undefined ? undefined : { nodes: [{ kind: "text", text }], end: start + text.length };
  }

  #sequence(start: number): Parsed {
    const nodes: ScheduleNode[] = [];
    let end = start;
    for (let item = this.item(end); item !== undefined; item = this.item(end)) {
      nodes.push(...item.nodes);
      end = item.end;
    }
    return { nodes, end };
  }

  #round(start: number): Parsed | undefined {
    const first = this.#sequence(start + 1);
    const last = this.#prompt[first.end] === ":" ? this.#sequence(first.end + 1) : undefined;
    const { end } = last ?? first;
    if (this.#prompt[end] !== ")") return undefined;
    const nodes = [text("("), ...first.nodes, ...(last ? [text(":"), ...last.nodes] : []), text(")")];
    return { nodes, end: end + 1 };
  }

  #square(start: number): Parsed | undefined {
    const first = this.#sequence(start + 1);
    const next = this.#prompt[first.end];
    if (next === "]") return { nodes: [text("["), ...first.nodes, text("]")], end: first.end + 1 };
    if (next === "|") return this.#alternate(first);
    if (next !== ":") return undefined;
    const when = this.#when(first.end + 1);
    if (when) return { nodes: [{ kind: "scheduled", before: [], after: first.nodes, when: when.text }], end: when.end };
    const second = this.#sequence(first.end + 1);
    const later = this.#prompt[second.end] === ":" ? this.#when(second.end + 1) : undefined;
    if (later === undefined) return undefined;
    return {
      nodes: [{ kind: "scheduled", before: first.nodes, after: second.nodes, when: later.text }],
      end: later.end,
    };
  }

  #alternate(first: Parsed): Parsed | undefined {
    const choices = [first.nodes];
    let { end } = first;
    while (this.#prompt[end] === "|") {
      const choice = this.#sequence(end + 1);
      choices.push(choice.nodes);
      end = choice.end;
    }
    return this.#prompt[end] === "]" ? { nodes: [{ kind: "alternate", choices }], end: end + 1 } : undefined;
  }

  #when(start: number): { text: string; end: number } | undefined {
    WHEN.lastIndex = start;
    const match = WHEN.exec(this.#prompt);
    return match ? { text: match[1]!, end: WHEN.lastIndex } : undefined;
  }
}

const text = (value: string): ScheduleNode => ({ kind: "text", text: value });

function depthOf(prompt: string): number {
  let depth = 0;
  let deepest = 0;
  for (const character of prompt) {
    if (character === "(" || character === "[") deepest = Math.max(deepest, ++depth);
    else if (character === ")" || character === "]") depth = Math.max(0, depth - 1);
  }
  return deepest;
}

/** The steps, from 1, after which the prompt may change, the last one included. */
export function changesOf(nodes: readonly ScheduleNode[], pass: SchedulePass): number[] {
  const changes = new Set([pass.steps]);
  const visit = (node: ScheduleNode) => {
    if (node.kind === "scheduled") {
      const last = lastStep(node.when, pass);
      if (last >= 1) changes.add(last);
      for (const child of [...node.before, ...node.after]) visit(child);
    } else if (node.kind === "alternate") {
      for (let step = 1; step <= pass.steps; step++) changes.add(step);
      for (const child of node.choices.flat()) visit(child);
    }
  };
  for (const node of nodes) visit(node);
  return [...changes].sort((a, b) => a - b);
}

/** What the prompt is at a step, from 1. */
export function textAt(nodes: readonly ScheduleNode[], step: number, pass: SchedulePass): string {
  return nodes
    .map((node) => {
      if (node.kind === "text") return node.text;
      if (node.kind === "alternate") return textAt(node.choices[(step - 1) % node.choices.length]!, step, pass);
      return textAt(step <= lastStep(node.when, pass) ? node.before : node.after, step, pass);
    })
    .join("");
}

/** A number with a point is a share of the steps, one without is a step; a second pass goes on from 1 and from the calls of the first. */
function lastStep(when: string, { steps, callsBefore, isOldTiming = false }: SchedulePass): number {
  const value = Number(when);
  if (isOldTiming) return Math.min(steps, Math.trunc(value < 1 ? value * steps : value));
  const isSecond = callsBefore !== undefined;
  const step = when.includes(".") ? (value - (isSecond ? 1 : 0)) * steps : value - (callsBefore ?? 0);
  return Math.min(steps, Math.trunc(step));
}

/** The whole schedule of a prompt, text by text. */
export function scheduleOf(prompt: string, pass: SchedulePass): ScheduledText[] {
  const nodes = parseSchedule(prompt);
  return changesOf(nodes, pass).map((until) => ({ until, text: textAt(nodes, until, pass) }));
}
