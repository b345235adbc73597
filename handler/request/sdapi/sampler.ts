/** A request's sampler, and in lenient mode what A1111 takes in its place. */
import { EndpointError } from "../../../runtime/errors.ts";
import {
  type NoiseSettings,
  type ResolvedSampler,
  resolveSampler,
  SDAPI_SAMPLERS,
  splitScheduler,
} from "../../../workflows/sampler-names.ts";
import type { SdapiRequest } from "./parse.ts";

export const samplerName = ({ fields }: SdapiRequest): string => fields.sampler_name || fields.sampler_index;

/** Where a sampler and its scheduler were named. */
interface Origin {
  sampler_name: string;
  scheduler: string;
}

/** Those of the first pass. */
export const originOf = ({ fields }: SdapiRequest): Origin => ({
  sampler_name: fields.sampler_name ? "sampler_name" : "sampler_index",
  scheduler: "scheduler",
});

/**
 * @param scheduler null: that of the sampler's name, else its own.
 * @throws EndpointError `unknown_sampler`, `unsupported_feature`, of the field that names it.
 */
export function readSampler(
  request: SdapiRequest,
  name: string,
  scheduler: string | null,
  origin = originOf(request),
): ResolvedSampler {
  const wish = { name, scheduler, settings: noiseSettings(request, name) };
  const resolved = underOwnName(origin, () => resolve(request, wish));
  const isOtherVariant = resolved.sampler === "uni_pc" && request.options.uni_pc_variant === "bh2";
  return isOtherVariant ? { ...resolved, sampler: "uni_pc_bh2" } : resolved;
}

function underOwnName<T>(origin: Origin, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const field = error instanceof EndpointError && error.details?.["field"];
    if (field !== "sampler_name" && field !== "scheduler") throw error;
    const { code, message, details } = error as EndpointError;
    throw new EndpointError(code, message, { details: { ...details, field: origin[field] } });
  }
}

interface Wish {
  name: string;
  scheduler: string | null;
  settings: NoiseSettings;
}

function resolve(request: SdapiRequest, wish: Wish): ResolvedSampler {
  return request.notes.orElse(
    () => resolveSampler(wish.name, wish.scheduler, wish.settings),
    ({ details }) => resolve(request, lesserWish(wish, details?.["field"])),
    ({ samplerName, schedulerLabel }) => `${samplerName} is used, with the scheduler ${schedulerLabel}`,
  );
}

/** Without what cannot be had: A1111's first sampler, the sampler's own scheduler, its own noise. */
function lesserWish(wish: Wish, field: unknown): Wish {
  const { base, suffix } = splitScheduler(wish.name);
  if (field === "sampler_name")
    return { ...wish, name: SDAPI_SAMPLERS[0]!.name, scheduler: wish.scheduler || (suffix ?? null) };
  if (field === "scheduler") return { ...wish, name: base, scheduler: null };
  return { ...wish, settings: {} };
}

/** DDIM has an option of its own for what the others call eta. */
function noiseSettings({ fields, options }: SdapiRequest, name: string): NoiseSettings {
  const option = /^ddim/i.test(name) ? options.eta_ddim : options.eta_ancestral;
  return { eta: fields.eta ?? option, sNoise: fields.s_noise ?? undefined };
}
