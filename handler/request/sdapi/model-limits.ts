/** What A1111's features ask of a model that draws with a flow (SD 3, Flux and the like) instead of A1111's own noise. */
import { EndpointError } from "../../../runtime/errors.ts";
import type { Refiner } from "../../../workflows/generation.ts";
import { familyOf, isScaledLinear, type ModelKind, UNREAD_CHECKPOINT } from "../../../workflows/model-family.ts";
import type { Models } from "../../../workflows/models.ts";
import { type ResolvedSampler, SDAPI_SAMPLERS, splitScheduler } from "../../../workflows/sampler-names.ts";
import { leftOut } from "./model-names.ts";
import type { SdapiRequest } from "./parse.ts";
import { readSampler } from "./sampler.ts";

/** The scheduler of a request; where it leaves that to the sampler, a flow's own is better than A1111's. */
export function schedulerFor({ kind }: Models, samplerName: string, scheduler: string | null): string | null {
  const family = familyOf(kind ?? UNREAD_CHECKPOINT);
  const wanted = scheduler || splitScheduler(samplerName).suffix;
  return wanted && wanted.toLowerCase() !== "automatic" ? scheduler : (family.schedule ?? scheduler);
}

interface Drawn {
  models: Models;
  sampler: ResolvedSampler;
  refiner?: Refiner | undefined;
}

/**
 * What a model of the kind can be drawn with; in lenient mode without what it cannot.
 * @throws EndpointError `unsupported_feature` that names what the model cannot be drawn with.
 */
export function withinLimits(request: SdapiRequest, drawn: Drawn): Drawn {
  const { notes } = request;
  const within = { ...drawn };
  const { refiner } = within;
  const refinedKind = [within.models.kind, refiner?.models.kind].find((kind) => kind && !isScaledLinear(kind));
  if (refinedKind && refiner) {
    notes.refuse(notWith(refinedKind, "refiner_checkpoint", "a refiner"), "there is no refiner");
    delete within.refiner;
  }
  const { kind, hypernetworks, clipSkip } = within.models;
  if (kind === undefined || isScaledLinear(kind)) return within;
  const { sampler } = drawn;
  if (sampler.modelSampling !== undefined) {
    within.sampler = ownSchedule(request, within.models, SDAPI_SAMPLERS[0]!.name);
    const refusal = notWith(kind, "sampler_name", `the sampler "${sampler.samplerName}"`);
    notes.refuse(refusal, `${within.sampler.samplerName} is used`);
  } else if (sampler.schedulerLabel === "Align Your Steps") {
    within.sampler = ownSchedule(request, within.models, sampler.samplerName);
    const refusal = notWith(kind, "scheduler", `the scheduler "${sampler.schedulerLabel}"`);
    notes.refuse(refusal, `${within.sampler.schedulerLabel} is used`);
  }
  if (hypernetworks.length > 0) {
    notes.refuse(notWith(kind, "prompt", "a hypernetwork"), leftOut());
    within.models = { ...within.models, hypernetworks: [] };
  }
  if (clipSkip > 1) {
    notes.refuse(notWith(kind, "override_settings.CLIP_stop_at_last_layers", "clip skip"));
    within.models = { ...within.models, clipSkip: 1 };
  }
  return within;
}

const ownSchedule = (request: SdapiRequest, models: Models, name: string): ResolvedSampler =>
  readSampler(request, name, schedulerFor(models, name, null));

const notWith = (kind: ModelKind, field: string, what: string) =>
  new EndpointError(
    "unsupported_feature",
    `${field}: ${what} is not available with a model of the kind ${familyOf(kind).title}`,
    { details: { field } },
  );
