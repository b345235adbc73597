/** What A1111's features ask of a model that draws with a flow (SD 3, Flux and the like) instead of A1111's own noise. */
import { EndpointError } from "../../../runtime/errors.ts";
import { familyOf, isScaledLinear, UNREAD_CHECKPOINT } from "../../../workflows/model-family.ts";
import type { Models } from "../../../workflows/models.ts";
import { type ResolvedSampler, splitScheduler } from "../../../workflows/sampler-names.ts";

/** The scheduler of a request; where it leaves that to the sampler, a flow's own is better than A1111's. */
export function schedulerFor({ kind }: Models, samplerName: string, scheduler: string | null): string | null {
  const family = familyOf(kind ?? UNREAD_CHECKPOINT);
  const wanted = scheduler || splitScheduler(samplerName).suffix;
  return wanted && wanted.toLowerCase() !== "automatic" ? scheduler : (family.schedule ?? scheduler);
}

interface Drawn {
  models: Models;
  sampler: ResolvedSampler;
  refiner?: Models | undefined;
}

/** @throws EndpointError `unsupported_feature` that names what the model cannot be drawn with. */
export function refuseForFlow({ models, sampler, refiner }: Drawn): void {
  const kind = [models.kind, refiner?.kind].find((one) => one && !isScaledLinear(one));
  if (kind === undefined) return;
  const limits: [field: string, what: string, isAsked: boolean][] = [
    ["sampler_name", `the sampler "${sampler.samplerName}"`, sampler.modelSampling !== undefined],
    ["refiner_checkpoint", "a refiner", refiner !== undefined],
    ["prompt", "a hypernetwork", models.hypernetworks.length > 0],
    ["override_settings.CLIP_stop_at_last_layers", "clip skip", models.clipSkip > 1],
  ];
  const limit = limits.find(([, , isAsked]) => isAsked);
  if (limit === undefined) return;
  const [field, what] = limit;
  const { title } = familyOf(kind);
  throw new EndpointError(
    "unsupported_feature",
    `${field}: ${what} is not available with a model of the kind ${title}`,
    {
      details: { field },
    },
  );
}
