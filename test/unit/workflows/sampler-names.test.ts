import { describe, expect, test } from "vitest";
import { type ResolvedSampler, resolveSampler } from "../../../workflows/sampler-names.ts";
import { SDAPI_SAMPLERS, SDAPI_SCHEDULERS } from "../../../workflows/sdapi-samplers.ts";
import recordedSamplers from "../../fixtures/sdapi/samplers.json" with { type: "json" };
import recordedSchedulers from "../../fixtures/sdapi/schedulers.json" with { type: "json" };
import { loadCatalogue } from "../../support/catalogue.ts";
import { thrownBy } from "../../support/thrown.ts";

const FIRST = "DPM++ 2M";

describe("the tables are A1111's", () => {
  test("samplers: names, order, aliases and default schedulers", () => {
    const ours = SDAPI_SAMPLERS.map(({ name, aliases, automatic }) => ({ name, aliases, scheduler: automatic }));
    const recorded = recordedSamplers.samplers.map(({ name, aliases, options }) => ({
      name,
      aliases,
      scheduler: (options as { scheduler?: string }).scheduler,
    }));
    expect(ours).toEqual(recorded);
  });

  test("schedulers: names, order, labels and aliases", () => {
    const ours = SDAPI_SCHEDULERS.map(({ name, label, aliases }) => ({ name, label, aliases }));
    const recorded = recordedSchedulers.schedulers.map(({ name, label, aliases }) => ({
      name,
      label,
      aliases: aliases ?? [],
    }));
    expect(ours).toEqual(recorded);
  });

  test("ComfyUI has every sampler and scheduler that they are mapped to", async () => {
    const catalogue = await loadCatalogue();
    const defined = (names: (string | undefined)[]) => names.filter((name) => name !== undefined);
    const schedulers = [
      ...SDAPI_SCHEDULERS.map(({ comfyui }) => comfyui),
      ...SDAPI_SAMPLERS.map((it) => it.automaticComfyui),
    ];
    expect(catalogue.choices("KSampler", "sampler_name")).toEqual(
      expect.arrayContaining(defined(SDAPI_SAMPLERS.map(({ comfyui }) => comfyui))),
    );
    expect(catalogue.choices("KSampler", "scheduler")).toEqual(expect.arrayContaining(defined(schedulers)));
  });
});

describe("ComfyUI's sampler and scheduler under Automatic", () => {
  test.each<[name: string, sampler: string, scheduler: string, more?: Partial<ResolvedSampler>]>([
    ["DPM++ 2M", "dpmpp_2m", "karras"],
    ["DPM++ SDE", "dpmpp_sde_gpu", "karras"],
    ["DPM++ 2M SDE", "dpmpp_2m_sde_gpu", "exponential"],
    ["DPM++ 2M SDE Heun", "dpmpp_2m_sde_heun_gpu", "exponential"],
    ["DPM++ 2S a", "dpmpp_2s_ancestral", "karras"],
    ["DPM++ 3M SDE", "dpmpp_3m_sde_gpu", "exponential"],
    ["Euler a", "euler_ancestral", "normal"],
    ["Euler", "euler", "normal"],
    ["LMS", "lms", "normal"],
    ["Heun", "heun", "normal"],
    ["DPM2", "dpm_2", "karras"],
    ["DPM2 a", "dpm_2_ancestral", "karras"],
    ["DPM fast", "dpm_fast", "normal"],
    ["DPM adaptive", "dpm_adaptive", "normal"],
    ["DDIM", "ddim", "ddim_uniform"],
    ["DDIM CFG++", "euler_cfg_pp", "ddim_uniform", { cfgDivisor: 12.5 }],
    ["UniPC", "uni_pc", "normal"],
    ["LCM", "lcm", "sgm_uniform", { modelSampling: "lcm" }],
  ])("%s is %s with %s", (name, sampler, scheduler, more = {}) => {
    expect(resolveSampler(name, null)).toMatchObject({ sampler, scheduler, cfgDivisor: 1, ...more });
  });

  test("a scheduler that was named is used instead of the automatic one", () => {
    expect(resolveSampler("LCM", "Simple")).toMatchObject({ sampler: "lcm", scheduler: "simple" });
    expect(resolveSampler("DDIM", "Karras")).toMatchObject({ sampler: "ddim", scheduler: "karras" });
  });
});

describe("the scheduler as a suffix", () => {
  test.each([
    ["DPM++ 2M SDE Karras", null, "dpmpp_2m_sde_gpu", "karras"],
    ["Euler Exponential Karras", null, "euler", "exponential"],
    ["DPM++ 2M Karras", "Simple", "dpmpp_2m", "simple"],
    ["Euler Karras", "Automatic", "euler", "normal"],
    ["Euler Karras", "", "euler", "karras"],
    ["k_dpmpp_2m karras", null, "dpmpp_2m", "karras"],
  ])("%s with %j is %s, %s", (name, scheduler, sampler, comfyuiScheduler) => {
    const resolved = resolveSampler(name, scheduler);
    expect([resolved.sampler, resolved.scheduler]).toEqual([sampler, comfyuiScheduler]);
  });
});

test("an empty name is A1111's first sampler", () => {
  expect(resolveSampler("", null).samplerName).toBe(FIRST);
});

describe("a refusal", () => {
  test.each([
    ["sampler", "Eulr", null, "sampler_name", SDAPI_SAMPLERS.map(({ name }) => name)],
    ["scheduler", "Euler", "Karas", "scheduler", SDAPI_SCHEDULERS.map(({ label }) => label)],
  ])("of an unknown %s lists those that there are", (_kind, name, scheduler, field, available) => {
    const error = thrownBy(() => resolveSampler(name, scheduler));
    expect(error).toMatchObject({ code: "unknown_sampler", details: { field, available } });
    expect(error.message).toContain(scheduler ?? name);
  });

  test.each([
    ["Restart", null, "sampler_name"],
    ["Euler", "Align Your Steps", "scheduler"],
  ])("of %s, %s: ComfyUI's core has no equal", (name, scheduler, field) => {
    expect(thrownBy(() => resolveSampler(name, scheduler))).toMatchObject({
      code: "unsupported_feature",
      details: { field },
    });
  });
});
