/** What guides a model through a pass: the prompts, as its own kind takes them, and how strongly. */
import type { Link } from "../runtime/comfyui/graph.ts";
import { EndpointError } from "../runtime/errors.ts";
import type { GraphBuilder } from "./builder.ts";
import {
  AESTHETIC_SCORES,
  type AestheticScores,
  addComposition,
  addNegative,
  addNothing,
  type EncodingSize,
  textEncoder,
} from "./conditioning.ts";
import { familyOf, isScaledLinear, type ModelKind } from "./model-family.ts";
import type { ModelLinks } from "./models.ts";
import type { PlannedPart, PlannedRange } from "./prompt-plan.ts";
import type { Guidance } from "./sampling.ts";

export interface Guiding {
  links: ModelLinks;
  kind: ModelKind;
  positive: readonly PlannedPart[];
  negative: readonly PlannedRange[];
  /** cfg, before the weights of the prompt's parts. */
  scale: number;
  /** Forge's default if there is none. */
  distilledCfgScale: number | undefined;
  /** A1111's if there are none. */
  aestheticScores: AestheticScores | undefined;
  /** The request's fields of both prompts, for errors. */
  fields: { positive: string; negative: string };
  size: EncodingSize;
}

const MAX_CFG = 100;
/** Forge's. */
export const DEFAULT_DISTILLED_CFG = 3.5;

/** @throws EndpointError `invalid_request`, `unsupported_feature` for what a prompt asks. */
export function addGuidance(builder: GraphBuilder, guiding: Guiding): Guidance {
  const { links, kind, positive, negative, scale, fields, size } = guiding;
  if (!isScaledLinear(kind)) refuseChanges(guiding);
  const scores = guiding.aestheticScores ?? AESTHETIC_SCORES;
  const encoder = (side: "positive" | "negative") => textEncoder(builder, links.clip, kind, size, { side, scores });
  const { conditioning, cfgFactor } = addComposition(builder, positive, encoder("positive"));
  const cfg = Number((scale * cfgFactor).toFixed(6));
  if (cfg > MAX_CFG)
    throw new EndpointError(
      "invalid_request",
      `${fields.positive}: cfg_scale times the weights of the prompt's parts is ${cfg}, more than ${MAX_CFG} (text that ends in a colon and a number has that number as its weight)`,
      { details: { field: fields.positive } },
    );
  const guide = (to: Link) => addDistilledGuidance(builder, to, guiding);
  const guided = guide(conditioning);
  if (cfg === 1 && !isScaledLinear(kind))
    // Nothing looks at it, and these have large text encoders.
    return { model: links.model, positive: guided, negative: addNothing(builder, guided), cfg };
  const against = addNegative(builder, negative, encoder("negative"), kind);
  return { model: links.model, positive: guided, negative: guide(against), cfg };
}

function addDistilledGuidance(builder: GraphBuilder, conditioning: Link, { kind, distilledCfgScale }: Guiding): Link {
  if (!familyOf(kind).hasDistilledGuidance) return conditioning;
  const guidance = distilledCfgScale ?? DEFAULT_DISTILLED_CFG;
  return builder.share("FluxGuidance", { conditioning, guidance })(0);
}

/** The times of a prompt's changes are those of scaled-linear noise. */
function refuseChanges({ kind, positive, negative, fields }: Guiding): void {
  const changes = (ranges: readonly PlannedRange[]) => ranges.length > 1;
  const field = positive.some(({ ranges }) => changes(ranges))
    ? fields.positive
    : changes(negative)
      ? fields.negative
      : undefined;
  if (field === undefined) return;
  throw new EndpointError(
    "unsupported_feature",
    `${field}: a prompt that changes on the way ([from:to:when], [a|b]) is not available with a model of the kind ${familyOf(kind).title}`,
    { details: { field } },
  );
}
