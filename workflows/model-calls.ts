/** At which noise levels a sampler calls the model, step by step; k-diffusion's sampling.py. */
import { pairs, restartSteps } from "./restart.ts";
import type { ResolvedSampler } from "./sampler-names.ts";

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
