/** A request's sampler, and in lenient mode what A1111 takes in its place. */
import { EndpointError } from "../../../runtime/errors.ts";
import { familyOf, UNREAD_CHECKPOINT } from "../../../workflows/model-family.ts";
import type { Models } from "../../../workflows/models.ts";
import {
  type ResolvedSampler,
  resolveSampler,
  type SamplerSettings,
  splitScheduler,
} from "../../../workflows/sampler-names.ts";
import { SDAPI_SAMPLERS } from "../../../workflows/sdapi-samplers.ts";
import type { Inventory } from "../request.ts";
import { refuseInexact, scheduleOptions, whyInexact } from "./exactness.ts";
import type { SdapiRequest } from "./parse.ts";

export const samplerName = ({ fields }: SdapiRequest): string => fields.sampler_name || fields.sampler_index;

export interface SamplerWish {
  name: string;
  /** Null: that of the sampler's name, else its own, or the model's. */
  scheduler: string | null;
  /** What it draws with. */
  models: Models;
}

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

/** @throws EndpointError `unknown_sampler`, `unsupported_feature`, of the field that names it. */
export function readSampler(
  request: SdapiRequest,
  { name, scheduler, models }: SamplerWish,
  { catalogue }: Inventory,
  origin = originOf(request),
): ResolvedSampler {
  const reason = whyInexact(catalogue, models);
  if (reason !== undefined) refuseInexact(request, reason);
  const settings = {
    eta: etaOf(request, name),
    ...(reason === undefined ? exactNoise(request) : coreNoise(request)),
    exact: reason === undefined ? scheduleOptions(request, models) : undefined,
  };
  const wish = { name, scheduler: schedulerFor(models, name, scheduler), settings };
  const resolved = underOwnName(origin, () => resolve(request, wish));
  const isOtherVariant = resolved.sampler === "uni_pc" && request.options.uni_pc_variant === "bh2";
  return isOtherVariant ? withOtherVariant(resolved) : resolved;
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

interface Resolving {
  name: string;
  scheduler: string | null;
  settings: SamplerSettings;
}

function resolve(request: SdapiRequest, wish: Resolving): ResolvedSampler {
  return request.notes.orElse(
    () => resolveSampler(wish.name, wish.scheduler, wish.settings),
    ({ details }) => resolve(request, lesserWish(wish, details?.["field"])),
    ({ samplerName, schedulerLabel }) => `${samplerName} is used, with the scheduler ${schedulerLabel}`,
  );
}

/** Without what cannot be had: A1111's first sampler, the sampler's own scheduler, its own noise. */
function lesserWish(wish: Resolving, field: unknown): Resolving {
  const { base, suffix } = splitScheduler(wish.name);
  if (field === "sampler_name")
    return { ...wish, name: SDAPI_SAMPLERS[0]!.name, scheduler: wish.scheduler || (suffix ?? null) };
  if (field === "scheduler") return { ...wish, name: base, scheduler: null };
  return { ...wish, settings: { exact: wish.settings.exact } };
}

/** DDIM has an option of its own for what the others call eta. */
function etaOf({ fields, options }: SdapiRequest, name: string): number | undefined {
  return fields.eta ?? (/^ddim/i.test(name) ? options.eta_ddim : options.eta_ancestral);
}

/** An option that is not A1111's default wins over the field. */
const exactNoise = ({ fields, options }: SdapiRequest): SamplerSettings => ({
  sChurn: options.s_churn || (fields.s_churn ?? 0),
  sTmin: options.s_tmin || (fields.s_tmin ?? 0),
  sTmax: options.s_tmax || (fields.s_tmax ?? 0),
  sNoise: options.s_noise !== undefined && options.s_noise !== 1 ? options.s_noise : (fields.s_noise ?? 1),
});

/** The options were refused by then. */
const coreNoise = ({ fields }: SdapiRequest): SamplerSettings => ({
  sChurn: fields.s_churn ?? 0,
  sNoise: fields.s_noise ?? 1,
});

const UNI_PC_BH2 = "uni_pc_bh2";

function withOtherVariant(resolved: ResolvedSampler): ResolvedSampler {
  const { exact } = resolved;
  return {
    ...resolved,
    sampler: UNI_PC_BH2,
    ...(exact && { exact: { ...exact, inputs: { ...exact.inputs, sampler_name: UNI_PC_BH2 } } }),
  };
}

/** The scheduler of a request; where it leaves that to the sampler, a flow's own is better than A1111's. */
function schedulerFor({ kind }: Models, samplerName: string, scheduler: string | null): string | null {
  const family = familyOf(kind ?? UNREAD_CHECKPOINT);
  const wanted = scheduler || splitScheduler(samplerName).suffix;
  return wanted && wanted.toLowerCase() !== "automatic" ? scheduler : (family.schedule ?? scheduler);
}
