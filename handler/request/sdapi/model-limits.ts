/** What A1111's features ask of a model that draws with a flow (SD 3, Flux and the like) instead of A1111's own noise. */
import { EndpointError } from "../../../runtime/errors.ts";
import type { Refiner } from "../../../workflows/generation.ts";
import { familyOf, isScaledLinear, type ModelKind } from "../../../workflows/model-family.ts";
import type { Models } from "../../../workflows/models.ts";
import type { ResolvedSampler } from "../../../workflows/sampler-names.ts";
import { SDAPI_SAMPLERS } from "../../../workflows/sdapi-samplers.ts";
import type { Inventory } from "../request.ts";
import { leftOut } from "./model-names.ts";
import type { SdapiRequest } from "./parse.ts";
import { readSampler } from "./sampler.ts";

interface Drawn {
  models: Models;
  sampler: ResolvedSampler;
  refiner?: Refiner | undefined;
}

/**
 * What a model of the kind can be drawn with; in lenient mode without what it cannot.
 * @throws EndpointError `unsupported_feature` that names what the model cannot be drawn with.
 */
export function withinLimits(request: SdapiRequest, drawn: Drawn, inventory: Inventory): Drawn {
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
    const wish = { name: SDAPI_SAMPLERS[0]!.name, scheduler: null, models: within.models };
    within.sampler = readSampler(request, wish, inventory);
    const refusal = notWith(kind, "sampler_name", `the sampler "${sampler.samplerName}"`);
    notes.refuse(refusal, `${within.sampler.samplerName} is used`);
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

const notWith = (kind: ModelKind, field: string, what: string) =>
  new EndpointError(
    "unsupported_feature",
    `${field}: ${what} is not available with a model of the kind ${familyOf(kind).title}`,
    { details: { field } },
  );
