import { describe, expect, test } from "vitest";
import { parseTxt2Img } from "../../../handler/request/sdapi/txt2img.ts";
import type { Graph, Link } from "../../../runtime/comfyui/graph.ts";
import { type PlannedRange, planComposition, planPrompt } from "../../../workflows/prompt-plan.ts";
import { refinerStep } from "../../../workflows/refiner.ts";
import { resolveSampler } from "../../../workflows/sampler-names.ts";
import { countedCalls, firstPass, img2imgPass, secondPass, timesOfCalls } from "../../../workflows/sampling-pass.ts";
import { LAST_TIME } from "../../../workflows/sigma-table.ts";
import recorded from "../../fixtures/sdapi/steps.json" with { type: "json" };
import { loadInventory } from "../../support/catalogue.ts";
import { thrownBy } from "../../support/thrown.ts";

/** As on an engine with our own nodes, and as on one without. */
const ENGINES = { exact: { exact: {} }, core: {} } as const;

describe("A1111's arithmetic of steps", () => {
  describe.each(Object.entries(ENGINES))("%s", (_, settings) => {
    const euler = resolveSampler("Euler", null, settings);

    test.each(recorded.setup as [number, number, ...number[]][])("%d steps at %d", (steps, strength, ...rest) => {
      const [ofPart, encoded, ofFixed, encodedFixed, ofHires, encodedHires] = rest;
      const part = img2imgPass(euler, steps, strength, false);
      expect([part.core.scheduleSteps, part.sigmas.length - 2]).toEqual([ofPart, encoded]);
      const fixed = img2imgPass(euler, steps, strength, true);
      const hires = secondPass(euler, steps, strength);
      expect([fixed.core.scheduleSteps, hires.core.scheduleSteps]).toEqual([ofFixed, ofHires]);
      if (strength > 0)
        expect([fixed, hires].map(({ sigmas }) => sigmas.length - 2)).toEqual([encodedFixed, encodedHires]);
      else expect([...fixed.sigmas, ...hires.sigmas]).toEqual([]);
    });
  });
});

interface Request {
  steps?: number;
  denoising_strength?: number;
  enable_hr?: boolean;
  hr_second_pass_steps?: number;
  override_settings?: { img2img_fix_steps?: boolean };
}

interface Run {
  route: string;
  sampler: string;
  scheduler?: string | null;
  steps?: number;
  request: Request;
}

function passesOf({ route, sampler: name, scheduler = null, steps: given, request }: Run, settings: object) {
  const sampler = resolveSampler(name, scheduler, settings);
  const steps = given ?? request.steps ?? 10;
  const strength = request.denoising_strength ?? 0.75;
  if (route === "img2img")
    return [img2imgPass(sampler, steps, strength, request.override_settings?.img2img_fix_steps ?? false)];
  const first = firstPass(sampler, steps);
  return request.enable_hr ? [first, secondPass(sampler, request.hr_second_pass_steps ?? steps, strength)] : [first];
}

describe("the model is called at A1111's times", () => {
  const cases = recorded.model_calls as (Run & { t: number[] })[];

  test.each(cases.map((it) => [JSON.stringify([it.route, it.sampler, it.scheduler, it.request]), it] as const))(
    "%s",
    (_, it) => {
      const calls = passesOf(it, { exact: {} }).flatMap(timesOfCalls);
      expect(calls).toHaveLength(it.t.length);
      for (const [index, time] of it.t.entries()) {
        // LCM's are rounded to a time that it knows; UniPC's are interpolated in another way between two entries of the table.
        const tolerance = it.sampler === "LCM" ? 11 : it.sampler === "UniPC" ? 0.1 : 0.01;
        expect(Math.abs(calls[index]! - time), `call ${index}`).toBeLessThanOrEqual(tolerance);
      }
    },
  );

  test("UniPC refuses fewer steps than A1111's can", () => {
    const uniPc = resolveSampler("UniPC", null, ENGINES.exact);
    expect(thrownBy(() => firstPass(uniPc, 2)).code).toBe("invalid_request");
    expect(thrownBy(() => img2imgPass(uniPc, 10, 0.2, false)).code).toBe("invalid_request");
  });
});

describe("each call sees the text that A1111 uses", () => {
  type Text = string | string[];
  interface Prompted extends Run {
    prompt: string;
    negative_prompt?: string;
    steps: number;
    used: [text: Text, calls: number][];
  }

  /** Calls that have two texts: both are at the same noise level, one the end of a step and one the beginning of the next. */
  const SHARED: Record<string, number> = { Heun: 8, "DPM++ 2S a": 6 };

  /** The texts that hold at a time, in the order of the ranges. */
  const textsAt = (ranges: readonly PlannedRange[], time: number) => {
    const share = 1 - time / LAST_TIME;
    return ranges.filter(({ start, end }) => start <= share && share <= end).map(({ chunks }) => chunks.join().trim());
  };

  const refuse = (refusal: Error) => expect.unreachable(refusal.message);

  function seenBy(it: Prompted): string[][][] {
    const passes = passesOf(it, { exact: {} });
    return passes.flatMap((pass, index) => {
      const schedule = {
        steps: countedCalls(pass.sampler, index === 0 ? it.steps : pass.steps),
        ...(index > 0 && { callsBefore: countedCalls(pass.sampler, it.steps) }),
      };
      const callTimes = timesOfCalls(pass);
      const planning = { field: "prompt", pass: schedule, callTimes, embeddings: [], refuse };
      const parts = planComposition(it.prompt, planning).map(({ ranges }) => ranges);
      if (it.negative_prompt !== undefined) parts.push(planPrompt(it.negative_prompt, planning));
      return callTimes.map((time) => parts.map((ranges) => textsAt(ranges, time)));
    });
  }

  const cases = recorded.prompt_at_calls as unknown as Prompted[];
  test.each(cases.map((it) => [JSON.stringify([it.prompt, it.sampler, it.route, it.request]), it] as const))(
    "%s",
    (_, it) => {
      const seen = seenBy(it);
      const expected = it.used.flatMap(([text, calls]) => Array<Text>(calls).fill(text));
      expect(seen).toHaveLength(expected.length);
      let shared = 0;
      for (const [call, texts] of expected.entries()) {
        for (const [part, text] of [texts].flat().entries()) {
          const ours = seen[call]![part]!;
          expect(ours, `call ${call}`).toContain(text.trim());
          if (ours.length > 1) shared++;
        }
      }
      const isAlternating = it.prompt.includes("|");
      expect(shared).toBeLessThanOrEqual(isAlternating ? expected.length : (SHARED[it.sampler] ?? 0));
    },
  );
});

describe("the refiner takes over where A1111 changes", () => {
  const sourceOf = (graph: Graph, link: unknown) => graph[(link as Link)[0]]!.inputs;

  /** Runs of the same name as one. */
  const joined = (runs: readonly [name: string, steps: number][]) =>
    runs.reduce<[string, number][]>((all, [name, steps]) => {
      const last = all.at(-1);
      if (last?.[0] === name) last[1] += steps;
      else all.push([name, steps]);
      return all;
    }, []);

  type Refined = [steps: number, sampler: string, scheduler: string, at: number, used: [name: string, calls: number][]];
  const cases = recorded.refiner as unknown as Refined[];

  /** A1111 changes in the middle of a step of two calls, too; ComfyUI between steps. */
  const stepsOf = (sampler: string, calls: number) => (sampler === "Heun" ? Math.ceil(calls / 2) : calls);

  test.each(cases.filter(([, , scheduler]) => !scheduler.includes("hires")))(
    "%d steps, %s, %s, at %d",
    (steps, name, scheduler, at, used) => {
      const bySteps = scheduler === "refiner_switch_by_sample_steps";
      const pass = firstPass(resolveSampler(name, bySteps ? null : scheduler, ENGINES.exact), steps);
      const all = used.reduce((sum, [, calls]) => sum + calls, 0);
      expect(timesOfCalls(pass)).toHaveLength(all);
      const from = refinerStep(pass, { at, bySteps }) ?? pass.sigmas.length - 1;
      expect(from).toBe(stepsOf(name, used.length === 1 ? all : used[0]![1]));
    },
  );

  test.each(cases.filter(([, , scheduler]) => scheduler.includes("hires")))(
    "%d steps, %s, %s, at %d",
    async (steps, sampler_name, option, at, used) => {
      const hires_fix_refiner_pass = option.split("=")[1];
      const body = { prompt: "a fox", steps, sampler_name, refiner_checkpoint: "refiner", refiner_switch_at: at };
      // The recording does not tell the strength; a second pass of this one begins behind the moment.
      const hires = { enable_hr: true, denoising_strength: 0.5, override_settings: { hires_fix_refiner_pass } };
      const inventory = await loadInventory(["v1-5-pruned-emaonly.safetensors", "refiner.safetensors"], "own");
      const { graph } = await parseTxt2Img({ ...body, ...hires }).build(inventory);
      const stepsBy = Object.values(graph).flatMap(({ class_type, inputs }) => {
        if (class_type !== "SamplerCustomAdvanced") return [];
        const { model } = sourceOf(graph, inputs["guider"]);
        const { sigmas } = sourceOf(graph, inputs["sigmas"]);
        return [[String(sourceOf(graph, model)["ckpt_name"]).split(".")[0]!, String(sigmas).split(",").length - 1]];
      });
      expect(joined(stepsBy as [string, number][])).toEqual(used);
    },
  );

  test("at once without a moment, and at once in a second pass that begins late", () => {
    const euler = resolveSampler("Euler", null);
    expect(refinerStep(firstPass(euler, 10), { at: null, bySteps: false })).toBe(0);
    expect(refinerStep(secondPass(euler, 10, 0.4), { at: 0.5, bySteps: false })).toBe(0);
  });
});
