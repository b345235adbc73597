/** A1111's sampler Restart: it goes back to more noise on its way. A1111 v1.10.1, modules/sd_samplers_extra.py. */
import { EndpointError } from "../runtime/errors.ts";
import type { Control } from "./controlnet.ts";
import type { ResolvedSampler } from "./sampler-names.ts";
import { karrasLevels } from "./sdapi-schedule.ts";

type Step = readonly [sigma: number, next: number];

export const pairs = (sigmas: readonly number[]): Step[] =>
  sigmas.slice(0, -1).map((sigma, index) => [sigma, sigmas[index + 1]!]);

/** From so many steps on it goes back. */
const MIN_RESTARTED = 20;

/** Whether the sampler comes to a noise level more than once. */
export const goesBack = ({ sampler }: ResolvedSampler, steps: number): boolean =>
  sampler === "restart" && steps >= MIN_RESTARTED;

/** From noise level 0.1 it goes back to 2, once or twice, with levels of its own. */
export function restartSteps(sigmas: readonly number[]): Step[] {
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

interface Changing {
  /** The parts of each prompt, between noise levels. */
  ranges: readonly (readonly unknown[])[];
  refiner: unknown;
  controls: readonly Control[];
}

/**
 * What holds between noise levels would be met again by a sampler that goes back.
 * @throws EndpointError `unsupported_feature`
 */
export function refuseChanges({ ranges, refiner, controls }: Changing): void {
  const isWhole = ({ window: { start, end } }: Control) => start <= 0 && end >= 1;
  if (ranges.every(({ length }) => length <= 1) && refiner === undefined && controls.every(isWhole)) return;
  throw new EndpointError(
    "unsupported_feature",
    "sampler_name: Restart with 20 steps or more goes back to more noise, where a prompt that changes on its way, a refiner, or a part of the steps with ControlNet is not available",
    { details: { field: "sampler_name" } },
  );
}
