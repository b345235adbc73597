/** At which noise levels a sampler calls the model, step by step; k-diffusion's sampling.py. */
import type { ResolvedSampler } from "./sampler-names.ts";
import { karrasLevels } from "./sdapi-schedule.ts";

/** @param sigmas of the steps and, last, of their end. */
export function callSigmas(
  { secondCall, usedEta, exact, sampler }: ResolvedSampler,
  sigmas: readonly number[],
): number[] {
  if (sampler === "dpm_fast" && exact !== undefined) return fastCalls(sigmas, usedEta);
  // Its first step looks ahead.
  if (sampler === "plms") return [sigmas[0]!, ...sigmas.slice(1, 2), ...sigmas.slice(1, -1)];
  const steps = sampler === "restart" ? restartSteps(sigmas) : pairs(sigmas);
  return steps.flatMap(([sigma, next]) => {
    // The step to the picture itself has only one.
    if (secondCall === undefined || next === 0) return [sigma];
    if (secondCall === "next") return [sigma, next];
    return [sigma, Math.sqrt(sigma * (secondCall === "middle" ? next : afterStep(sigma, next, usedEta)))];
  });
}

type Step = readonly [sigma: number, next: number];

const pairs = (sigmas: readonly number[]): Step[] =>
  sigmas.slice(0, -1).map((sigma, index) => [sigma, sigmas[index + 1]!]);

/** From so many steps on, Restart goes back to more noise. */
const MIN_RESTARTED = 20;

/** Whether the sampler comes to a noise level more than once. */
export const goesBack = ({ sampler }: ResolvedSampler, steps: number): boolean =>
  sampler === "restart" && steps >= MIN_RESTARTED;

/** A1111 v1.10.1, modules/sd_samplers_extra.py: from noise level 0.1 it goes back to 2, once or twice, with levels of its own. */
function restartSteps(sigmas: readonly number[]): Step[] {
  const count = sigmas.length - 1;
  if (count < MIN_RESTARTED) return pairs(sigmas);
  const [again, times] = count >= 36 ? [Math.floor(count / 4), 2] : [9, 1];
  const levels = [...karrasLevels(count - again * times, sigmas.at(-2)!, sigmas[0]!), 0];
  const [low, high] = [nearest(levels, 0.1), nearest(levels, 2)];
  const back = high < low ? pairs(karrasLevels(again + 1, levels[low]!, levels[high]!)) : [];
  const steps = pairs(levels);
  return [...steps.slice(0, low), ...Array.from({ length: times }, () => back).flat(), ...steps.slice(low)];
}

function nearest(levels: readonly number[], to: number): number {
  const distances = levels.map((level) => Math.abs(level - to));
  return distances.indexOf(Math.min(...distances));
}

/** Where the deterministic part of an ancestral step ends. */
function afterStep(sigma: number, next: number, eta: number): number {
  const up = Math.min(next, eta * Math.sqrt((next ** 2 * (sigma ** 2 - next ** 2)) / sigma ** 2));
  return Math.sqrt(next ** 2 - up ** 2);
}

/** DPM-Solver-fast: steps of up to three calls each between the two ends, as many calls as there are steps. */
function fastCalls(sigmas: readonly number[], eta: number): number[] {
  const calls = sigmas.length - 1;
  const [first, last] = [sigmas[0]!, sigmas.at(-1)!];
  const steps = Math.floor(calls / 3) + 1;
  const rest = calls % 3;
  const orders = [...Array<number>(steps - (rest === 0 ? 2 : 1)).fill(3), ...(rest === 0 ? [2, 1] : [rest])];
  const at = (step: number) => first * (last / first) ** (step / steps);
  return orders.flatMap((order, step) => {
    const [sigma, next] = [at(step), at(step + 1)];
    const end = Math.max(last, afterStep(sigma, next, eta));
    return Array.from({ length: order }, (_, call) => sigma * (end / sigma) ** (call / order));
  });
}
