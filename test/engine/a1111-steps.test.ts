/** Our sampler node runs A1111's steps: on a stand-in network, in the real engine's Python. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { resolveSampler } from "../../workflows/sampler-names.ts";
import { firstPass, img2imgPass, type SamplingPass, secondPass } from "../../workflows/sampling-pass.ts";
import recorded from "../fixtures/sdapi/steps.json" with { type: "json" };
import type { RealEngine } from "./install.ts";

interface Run {
  route: string;
  sampler: string;
  scheduler?: string;
  request: {
    steps?: number;
    denoising_strength?: number;
    enable_hr?: boolean;
    hr_second_pass_steps?: number;
    override_settings?: { img2img_fix_steps?: boolean };
  };
  t: number[];
}

/** It asks for a model sampling of its own. */
const NOT_RUN = ["LCM"];
const runs = (recorded.model_calls as unknown as Run[]).filter(({ sampler }) => !NOT_RUN.includes(sampler));

function passesOf({
  route,
  sampler: name,
  scheduler = null,
  request,
}: Omit<Run, "scheduler"> & { scheduler?: string | null }) {
  const sampler = resolveSampler(name, scheduler, { exact: {} });
  const { steps = 10, denoising_strength: strength = 0.75, override_settings: options } = request;
  if (route === "img2img") return [img2imgPass(sampler, steps, strength, options?.img2img_fix_steps ?? false)];
  const first = firstPass(sampler, steps);
  return request.enable_hr ? [first, secondPass(sampler, request.hr_second_pass_steps ?? steps, strength)] : [first];
}

const asArguments = ({ sampler, sigmas, noisedAt }: SamplingPass) => {
  const { noise: _, ...inputs } = sampler.exact!.inputs;
  const s_tmax = 1e9;
  return { ...inputs, s_tmax, sigmas, keeps_variance: noisedAt !== undefined, noised_at: noisedAt ?? 0 };
};

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const { python, home } = JSON.parse(process.env["ENGINE_UNDER_TEST"] ?? "{}") as RealEngine;
const nodes = path("../../runtime/comfyui_nodes/comfy_endpoint");
const printed = execFileSync(python, [path("a1111_steps.py"), home, nodes], {
  encoding: "utf8",
  input: JSON.stringify(
    runs.map((run) =>
      passesOf(run)
        .filter(({ sigmas }) => sigmas.length > 0)
        .map(asArguments),
    ),
  ),
});
const { differences, times, calls } = JSON.parse(printed.trim().split("\n").at(-1)!) as {
  differences: Record<string, number>;
  times: number[][];
  calls: number[][];
};

describe("the same latent as A1111's arithmetic", () => {
  test.each(Object.entries(differences))("%s", (_, difference) => {
    // Values are around 1, of 32 bits.
    expect(difference).toBeLessThan(2e-5);
  });
});

test("the network is told the times of the levels, also between two entries of its table", () => {
  expect(times[0]).toEqual([876, 751, 626, 501, 376, 251, 126]);
  expect(times[1]).toEqual([991.884, 815.888, 514.701, 80.75]);
});

describe("the network is called as often as A1111's, at its times", () => {
  const titled = runs.map(
    (it, index) => [JSON.stringify([it.route, it.sampler, it.scheduler, it.request]), it.t, calls[index]!] as const,
  );

  test.each(titled)("%s", (_, wanted, ours) => {
    expect(ours).toHaveLength(wanted.length);
    // UniPC's are interpolated in another way between two entries of the table.
    for (const [index, time] of wanted.entries())
      expect(Math.abs(ours[index]! - time), `call ${index}`).toBeLessThan(0.1);
  });
});
