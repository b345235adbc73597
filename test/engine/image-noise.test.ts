/** Our ComfyUI nodes draw A1111's noise: run by the interpreter of the real engine, which has torch. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import recorded from "../fixtures/sdapi/rng.json" with { type: "json" };
import type { RealEngine } from "./install.ts";

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

interface Drawn {
  first: number[];
  first_mean_std: number[];
  next: number[];
}

const { python } = JSON.parse(process.env["ENGINE_UNDER_TEST"] ?? "{}") as RealEngine;
const drawn = JSON.parse(
  execFileSync(
    python,
    [path("image_noise.py"), path("../../runtime/comfyui_nodes/comfy_endpoint"), path("../fixtures/sdapi/rng.json")],
    { encoding: "utf8" },
  ),
) as Drawn[][];

interface Case {
  seeds: number[];
  first: number[][];
  first_mean_std: number[][];
  next: number[][];
}

describe("the noise of each picture, and what its sampler draws next", () => {
  const cases = recorded.noise as unknown as Case[];
  const titled = cases.map((it, index) => {
    const { first: _1, first_mean_std: _2, next: _3, ...given } = it;
    return [JSON.stringify(given), it, drawn[index]!] as const;
  });

  test.each(titled)("%s", (_, { seeds, ...wanted }, ours) => {
    expect(ours).toHaveLength(seeds.length);
    for (const [index, one] of ours.entries()) {
      for (const key of ["first", "first_mean_std", "next"] as const) {
        const off = one[key].map((value, place) => Math.abs(value - wanted[key][index]![place]!));
        expect(Math.max(...off), key).toBeLessThan(2e-6);
      }
    }
  });
});
