/** What a prompt of A1111 is at each moment of a pass, ready to be encoded by ComfyUI. */
import { EndpointError } from "../runtime/errors.ts";
import { markedEmbeddings, toComfyuiText } from "./comfyui-text.ts";
import { type Attention, isBreak, parseAttention } from "./prompt-attention.ts";
import { splitComposition } from "./prompt-composition.ts";
import { changesOf, parseSchedule, type SchedulePass, textAt } from "./prompt-schedule.ts";
import { LAST_TIME } from "./sigma-table.ts";

export interface PlannedPart {
  weight: number;
  ranges: PlannedRange[];
}

export interface PlannedRange {
  /** Shares of the model's time, 0 to 1, both ends included; a prompt that does not change has one range from 0 to 1. */
  start: number;
  end: number;
  /** ComfyUI texts that are encoded apart (A1111's BREAK). */
  chunks: string[];
}

export interface PromptPlanning {
  /** The request's field, for errors. */
  field: string;
  pass: SchedulePass;
  /** Model times of the calls, see `timesOfCalls`. */
  callTimes: readonly number[];
  /** Names of the embeddings on this worker. */
  embeddings: readonly string[];
  emphasis?: Emphasis;
  /** Told of what cannot be had; what it does not throw is left aside. */
  refuse(refusal: EndpointError): void;
}

/** A1111's option: brackets weigh, weigh nothing, or are text like any other, and BREAK with them. */
export type Emphasis = "Original" | "Ignore" | "None";

/** Each is at least one node; an alternation changes with every step. */
const MAX_RANGES = 1000;

/** @throws EndpointError `invalid_request`, `unknown_model`. */
export function planComposition(prompt: string, planning: PromptPlanning): PlannedPart[] {
  return splitComposition(prompt).map(({ text, weight }) => {
    if (weight < 0)
      planning.refuse(
        new EndpointError("unsupported_feature", `${planning.field}: a part after AND cannot have a weight below 0`, {
          details: { field: planning.field },
        }),
      );
    return { weight: Math.max(0, weight), ranges: planPrompt(text, planning) };
  });
}

/** A prompt without AND, as A1111's negative prompts are. */
export function planPrompt(prompt: string, planning: PromptPlanning): PlannedRange[] {
  const nodes = parseSchedule(prompt);
  const changes = changesOf(nodes, planning.pass);
  if (changes.length > MAX_RANGES)
    throw invalid(planning.field, `the prompt changes ${changes.length} times, of which ${MAX_RANGES} are possible`);
  const used: { lastCall: number; text: string }[] = [];
  for (const lastCall of changes) {
    const text = textAt(nodes, lastCall, planning.pass);
    const previous = used.at(-1);
    if (previous?.text === text) previous.lastCall = lastCall;
    else used.push({ lastCall, text });
    // A1111 counts calls from 0 where the schedule counts from 1.
    if (lastCall + 1 >= planning.callTimes.length) break;
  }
  let start = 0;
  return used.map(({ lastCall, text }, index) => {
    const edge = index === used.length - 1 ? { end: 1, nextStart: 1 } : edgeAfter(lastCall, planning.callTimes);
    const range = { start, end: edge.end, chunks: chunksOf(text, planning) };
    start = edge.nextStart;
    return range;
  });
}

/**
 * Between two calls, as shares of the model's time. Two calls at the same time cannot be told apart there: both texts then hold for both,
 * and ComfyUI takes their mean.
 */
function edgeAfter(call: number, times: readonly number[]): { end: number; nextStart: number } {
  const time = times[call]!;
  const next = times[call + 1]!;
  const share = (a: number, b: number) => Number((1 - (a + b) / 2 / LAST_TIME).toFixed(6));
  if (next !== time) return { end: share(time, next), nextStart: share(time, next) };
  const lower = times.slice(call + 1).find((other) => other < time) ?? 0;
  const higher = times.slice(0, call).findLast((other) => other > time) ?? LAST_TIME;
  return { end: share(time, lower), nextStart: share(higher, time) };
}

function chunksOf(text: string, planning: PromptPlanning): string[] {
  const { field, embeddings, emphasis } = planning;
  const { segments, badWeight }: Attention =
    emphasis === "None" ? { segments: [{ text, weight: 1 }] } : parseAttention(text);
  if (badWeight !== undefined) throw invalid(field, `the weight "${badWeight}" is not a number`);
  const huge = segments.find(({ weight }) => !Number.isFinite(weight));
  if (huge) throw invalid(field, `the weight of "${huge.text}" is too large`);
  for (const name of segments.flatMap((segment) => markedEmbeddings(segment.text))) checkEmbedding(name, planning);
  const chunks: (typeof segments)[] = [[]];
  for (const segment of segments) {
    if (isBreak(segment)) chunks.push([]);
    else chunks.at(-1)!.push(emphasis === "Ignore" ? { ...segment, weight: 1 } : segment);
  }
  const texts = chunks.map((chunk) => toComfyuiText(chunk, embeddings));
  // A BREAK at the end begins a chunk only if something follows.
  return texts.filter((chunk, index) => index === 0 || index < texts.length - 1 || chunk !== "");
}

/** ComfyUI leaves an unknown one out. */
function checkEmbedding(name: string, { field, embeddings, refuse }: PromptPlanning): void {
  const known = embeddings.some((file) =>
    [file, file.split("/").at(-1)].some((other) => other?.toLowerCase() === name.toLowerCase()),
  );
  if (known) return;
  const available = embeddings.length > 0 ? embeddings.join(", ") : "none";
  refuse(
    new EndpointError("unknown_model", `${field}: embedding '${name}' not found; there are: ${available}`, {
      details: { field, available: embeddings },
    }),
  );
}

const invalid = (field: string, message: string) =>
  new EndpointError("invalid_request", `${field}: ${message}`, { details: { field } });
