/** Our nodes blend latents, and tell where they changed, as A1111's own functions did: run by the interpreter of the real engine, which has torch. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import recorded from "../fixtures/sdapi/soft-inpainting.json" with { type: "json" };
import type { RealEngine } from "./install.ts";

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

function measure(): [blended: number[][][], changed: number[][]][] {
  const { python } = JSON.parse(process.env["ENGINE_UNDER_TEST"] ?? "{}") as RealEngine;
  const nodes = path("../../runtime/comfyui_nodes/comfy_endpoint");
  const recording = path("../fixtures/sdapi/soft-inpainting.json");
  return JSON.parse(execFileSync(python, [path("soft_inpainting.py"), nodes, recording], { encoding: "utf8" }));
}

test("latents are blended as by A1111, and the change shows at the same places", () => {
  const measured = measure();
  expect(measured).toHaveLength(recorded.length);
  for (const [index, [blended, changed]] of measured.entries()) {
    expect(changed).toEqual(recorded[index]!.changed);
    const [values, expected] = [blended.flat(2), recorded[index]!.blended.flat(2)];
    for (const [cell, value] of values.entries()) expect(value).toBeCloseTo(expected[cell]!, 4);
  }
});
