/** A1111's request field `infotext`: the parameters of a picture as the request's own (v1.10.1, modules/api/api.py, apply_infotext). */
import { splitScheduler } from "../../workflows/sampler-names.ts";
import { SDAPI_SAMPLERS, SDAPI_SCHEDULERS } from "../../workflows/sdapi-samplers.ts";
import type { Styles } from "../styles/styles.ts";
import { optionsOf } from "./options.ts";
import { type ParsedInfotext, parseInfotext } from "./parse.ts";

type Fields = Record<string, unknown>;
type Source = string | ((parameters: ParsedInfotext) => unknown);

const USE_SAME = /^Use same /;
const AUTOMATIC = "Automatic";
/** Stands in every text field of an example that was copied from A1111's Swagger page. */
const PLACEHOLDER = "string";

/** By request field: the label, or what is made of several. */
const BOTH_TABS: Record<string, Source> = {
  sampler_name: (parameters) => samplerOf(parameters["Sampler"], parameters["Schedule type"]).sampler,
  scheduler: (parameters) => samplerOf(parameters["Sampler"], parameters["Schedule type"]).scheduler,
  steps: "Steps",
  seed: "Seed",
  subseed: "Variation seed",
  subseed_strength: "Variation seed strength",
  // The other way round than they are written: so A1111 reads them.
  seed_resize_from_h: "Seed resize from-1",
  seed_resize_from_w: "Seed resize from-2",
  refiner_checkpoint: "Refiner",
  refiner_switch_at: "Refiner switch at",
};

const SOURCES: Record<"txt2img" | "img2img", Record<string, Source>> = {
  txt2img: {
    ...BOTH_TABS,
    prompt: "Prompt",
    negative_prompt: "Negative prompt",
    styles: "Styles array",
    cfg_scale: "CFG scale",
    width: "Size-1",
    height: "Size-2",
    batch_size: "Batch size",
    denoising_strength: "Denoising strength",
    enable_hr: (parameters) => ("Denoising strength" in parameters ? true : undefined),
    hr_scale: "Hires upscale",
    hr_upscaler: "Hires upscaler",
    hr_second_pass_steps: "Hires steps",
    hr_resize_x: "Hires resize-1",
    hr_resize_y: "Hires resize-2",
    hr_checkpoint_name: "Hires checkpoint",
    hr_sampler_name: (parameters) => hiresSamplerOf(parameters).sampler,
    hr_scheduler: (parameters) => hiresSamplerOf(parameters).scheduler,
    hr_prompt: "Hires prompt",
    hr_negative_prompt: "Hires negative prompt",
    // Forge's.
    hr_cfg: "Hires CFG Scale",
    hr_distilled_cfg: "Hires Distilled CFG Scale",
  },
  img2img: BOTH_TABS,
};

/**
 * Fills what the request leaves unset from its `infotext`; `override_settings` option by option. Values are text where the infotext
 * has text: the request's own check reads them. Unlike A1111, `Use same ...` stays unset, an unknown sampler keeps its name, and styles
 * that are found in the prompt are put back (A1111 makes a text of their list, which names none).
 */
export function applyInfotext(request: Fields, tab: keyof typeof SOURCES, styles?: Styles): Fields {
  const { infotext, override_settings: own } = request;
  if (typeof infotext !== "string" || infotext === "" || infotext === PLACEHOLDER) return request;
  const parameters = parseInfotext(infotext, styles);
  const filled: Fields = { ...request };
  for (const [field, source] of Object.entries(SOURCES[tab])) {
    if (field in request) continue;
    const value = typeof source === "string" ? parameters[source] : source(parameters);
    if (value !== undefined && !USE_SAME.test(String(value))) filled[field] = value;
  }
  const isObject = typeof own === "object" && !Array.isArray(own);
  if (own === undefined || isObject) filled["override_settings"] = { ...optionsOf(parameters), ...own };
  return filled;
}

type Named = ParsedInfotext[string] | undefined;

/** The names by which A1111 knows them; the sampler's own scheduler is `Automatic`. */
function samplerOf(samplerName: Named, schedulerName: Named): { sampler: string; scheduler: string } {
  const { base, suffix } = splitScheduler(String(samplerName ?? SDAPI_SAMPLERS[0]!.name));
  const sampler = SDAPI_SAMPLERS.find(({ name }) => name === base);
  const wanted = suffix ?? String(schedulerName ?? AUTOMATIC);
  const scheduler = SDAPI_SCHEDULERS.find(({ name, label }) => name === wanted || label === wanted);
  const isItsOwn = scheduler !== undefined && scheduler.name === sampler?.automatic;
  return { sampler: sampler?.name ?? base, scheduler: isItsOwn ? AUTOMATIC : (scheduler?.label ?? wanted) };
}

/** Unset where it is what the first pass has. */
function hiresSamplerOf(parameters: ParsedInfotext): { sampler: string | undefined; scheduler: string | undefined } {
  const { Sampler: first, "Schedule type": firstScheduler } = parameters;
  const orFirst = (own: Named, ofFirst: Named) => (USE_SAME.test(String(own)) ? ofFirst : own);
  const { sampler, scheduler } = samplerOf(
    orFirst(parameters["Hires sampler"], first),
    orFirst(parameters["Hires schedule type"], firstScheduler),
  );
  return {
    sampler: sampler === first ? undefined : sampler,
    scheduler: scheduler === firstScheduler ? undefined : scheduler,
  };
}
