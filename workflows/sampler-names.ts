/** A1111's one sampler name, resolved to ComfyUI's sampler and scheduler. Names and rules: A1111 v1.10.1, modules/sd_samplers.py and sd_schedulers.py. */
import { EndpointError } from "../runtime/errors.ts";
import {
  type ExactSampler,
  type NoiseNode,
  SDAPI_SAMPLERS,
  SDAPI_SCHEDULERS,
  type SdapiSampler,
  type SdapiScheduler,
} from "./sdapi-samplers.ts";
import type { ScheduleOptions } from "./sdapi-schedule.ts";

const AUTOMATIC = "automatic";

export interface ResolvedSampler {
  /** A1111's names, as its `info` shows them. */
  samplerName: string;
  schedulerLabel: string;
  /** ComfyUI's names; with `exact` the scheduler's is A1111's. */
  sampler: string;
  scheduler: string;
  cfgDivisor: number;
  modelSampling?: "lcm";
  secondCall?: "next" | "middle" | "down";
  /** Share of fresh noise of an ancestral step. */
  usedEta: number;
  /** What changes A1111's `info`: that, if it is not the default. */
  eta?: number;
  usesSeedDelta: boolean;
  /** The core node that stands in for the sampler where `eta` or `s_noise` is not the default. */
  noiseNode?: NoiseNode;
  /** For an engine with our own nodes: it draws as A1111 does. */
  exact?: ResolvedExact;
}

export interface ResolvedExact {
  levels: ExactSampler["levels"];
  schedule: ScheduleOptions;
  /** Whether the last but one noise level is left out whatever the options say. */
  discardsAnyway: boolean;
  takesChurn: boolean;
  takesNoiseFactor: boolean;
  /** Of our sampler node. */
  inputs: Record<string, string | number>;
}

const isNamed = (wanted: string) => {
  const lower = wanted.toLowerCase();
  return (names: readonly string[]) => names.some((name) => name.toLowerCase() === lower);
};

const schedulerNames = ({ name, label, aliases }: SdapiScheduler) => [name, label, ...aliases];

/**
 * Resolves A1111's `sampler_name`/`sampler_index` and `scheduler`, the scheduler possibly being a suffix of the sampler
 * (`DPM++ 2M Karras`); no name is its first sampler. Unlike A1111 1.10, which takes another sampler for an unknown one, it refuses.
 * @throws EndpointError `unknown_sampler`, or `unsupported_feature` for what A1111 has and this engine has not.
 */
export function resolveSampler(
  samplerName: string,
  schedulerName: string | null,
  settings: SamplerSettings = {},
): ResolvedSampler {
  const { base, suffix } = splitScheduler(samplerName || SDAPI_SAMPLERS[0]!.name);
  const sampler = SDAPI_SAMPLERS.find(({ name, aliases }) => isNamed(base)([name, ...aliases]));
  if (!sampler)
    throw unknown(
      "sampler",
      samplerName,
      SDAPI_SAMPLERS.map(({ name }) => name),
    );

  const wanted = schedulerName || suffix || AUTOMATIC;
  const asked = SDAPI_SCHEDULERS.find((scheduler) => isNamed(wanted)(schedulerNames(scheduler)));
  if (!asked)
    throw unknown(
      "scheduler",
      wanted,
      SDAPI_SCHEDULERS.map(({ label }) => label),
    );
  const isAutomatic = asked.name === AUTOMATIC;
  const used = isAutomatic ? (SDAPI_SCHEDULERS.find(({ name }) => name === sampler.automatic) ?? asked) : asked;

  const isExact = settings.exact !== undefined && sampler.exact !== undefined;
  const name = sampler.comfyui ?? (isExact ? sampler.exact?.function : undefined);
  if (name === undefined) throw unsupported("sampler", sampler.name);
  const { eta = sampler.defaultEta ?? 1 } = settings;
  const resolved = {
    samplerName: sampler.name,
    schedulerLabel: used.label,
    sampler: name,
    cfgDivisor: sampler.cfgDivisor ?? 1,
    ...(sampler.modelSampling && { modelSampling: sampler.modelSampling }),
    ...(sampler.secondCall && { secondCall: sampler.secondCall }),
    usedEta: eta,
    ...(sampler.noise !== undefined && eta !== (sampler.defaultEta ?? 1) && { eta }),
    usesSeedDelta: sampler.usesSeedDelta === true && eta !== 0,
  };
  if (settings.exact !== undefined && sampler.exact !== undefined)
    return { ...resolved, scheduler: used.name, exact: exactOf(sampler, sampler.exact, settings.exact, settings) };
  refuseChurn(settings);
  const scheduler = (isAutomatic && sampler.automaticComfyui) || used.comfyui;
  if (scheduler === undefined) throw unsupported("scheduler", used.label);
  return { ...resolved, scheduler, ...noiseNodeOf(sampler, eta, settings) };
}

export interface SamplerSettings {
  /** Share of fresh noise of an ancestral step; samplers without any take no notice, as of the others here. */
  eta?: number | undefined;
  /** Factor for the noise that is added on the way. */
  sNoise?: number | undefined;
  /** Noise that Euler, Heun and DPM2 add before a step, and between which sigmas (a highest of 0: no limit). */
  sChurn?: number | undefined;
  sTmin?: number | undefined;
  sTmax?: number | undefined;
  /** For an engine that has our own nodes, and a model of the scaled-linear table. */
  exact?: ScheduleOptions | undefined;
}

/** What a sampler does not take has one value, so that equal samplers are one node. */
function exactOf(
  sampler: SdapiSampler,
  exact: ExactSampler,
  schedule: ScheduleOptions,
  { eta = sampler.defaultEta ?? 1, sNoise = 1, sChurn = 0, sTmin = 0, sTmax = 0 }: SamplerSettings,
): ResolvedExact {
  const isChurned = exact.takesChurn === true && sChurn !== 0;
  const isNoisy = exact.takesNoiseFactor === true && (exact.takesChurn !== true || isChurned);
  return {
    levels: exact.levels,
    discardsAnyway: sampler.discardsPenultimate === true,
    takesChurn: exact.takesChurn === true,
    takesNoiseFactor: exact.takesNoiseFactor === true,
    schedule: {
      ...schedule,
      discardsPenultimate: schedule.discardsPenultimate || sampler.discardsPenultimate === true,
    },
    inputs: {
      sampler_name: exact.function ?? sampler.comfyui!,
      eta: exact.takesEta ? eta : 1,
      s_noise: isNoisy ? sNoise : 1,
      s_churn: isChurned ? sChurn : 0,
      s_tmin: isChurned ? sTmin : 0,
      s_tmax: isChurned ? sTmax : 0,
      solver_type: exact.solver ?? "midpoint",
      noise: exact.noise ?? "own",
    },
  };
}

function refuseChurn({ sChurn }: SamplerSettings): void {
  if (!sChurn) return;
  throw new EndpointError("unsupported_feature", "s_churn: ComfyUI's core nodes do not take it; leave it out", {
    details: { field: "s_churn" },
  });
}

/** DDIM with an eta is the same arithmetic as Euler a. */
function noiseNodeOf(
  { name, noise, defaultEta = 1 }: SdapiSampler,
  eta: number,
  { sNoise = 1 }: SamplerSettings,
): Pick<ResolvedSampler, "noiseNode"> {
  // A1111's DDIM has no s_noise.
  const usedNoise = defaultEta === 0 ? 1 : sNoise;
  if (noise === undefined || (eta === defaultEta && usedNoise === 1)) return {};
  if (noise === "none")
    throw new EndpointError(
      "unsupported_feature",
      `eta, s_noise: the sampler "${name}" takes only ${defaultEta} and 1 among ComfyUI's core nodes`,
      { details: { field: eta === defaultEta ? "s_noise" : "eta" } },
    );
  return { noiseNode: { classType: noise.classType, inputs: { ...noise.inputs, eta, s_noise: usedNoise } } };
}

/** Each scheduler is tried once, in A1111's order; the last that matched counts. */
export function splitScheduler(name: string): { base: string; suffix: string | undefined } {
  let base = name;
  let suffix: string | undefined;
  for (const scheduler of SDAPI_SCHEDULERS) {
    const match = schedulerNames(scheduler).find((label) => base.toLowerCase().endsWith(` ${label.toLowerCase()}`));
    if (match === undefined) continue;
    base = base.slice(0, -match.length - 1);
    suffix = scheduler.name;
  }
  return { base, suffix };
}

function unknown(kind: "sampler" | "scheduler", name: string, available: string[]): EndpointError {
  return new EndpointError("unknown_sampler", `no ${kind} is called "${name}"; there are: ${available.join(", ")}`, {
    details: { field: kind === "sampler" ? "sampler_name" : "scheduler", available },
  });
}

function unsupported(kind: "sampler" | "scheduler", name: string): EndpointError {
  return new EndpointError("unsupported_feature", `the ${kind} "${name}" has no equal among ComfyUI's core nodes`, {
    details: { field: kind === "sampler" ? "sampler_name" : "scheduler" },
  });
}
