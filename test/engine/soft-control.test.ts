/** Our node weighs layers as A1111's ControlNet extension does: run by the interpreter of the real engine, which has torch. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import type { RealEngine } from "./install.ts";

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

test("layers weigh the less the farther they are from the middle, also in copies", () => {
  const { python, home } = JSON.parse(process.env["ENGINE_UNDER_TEST"] ?? "{}") as RealEngine;
  const nodes = path("../../runtime/comfyui_nodes/comfy_endpoint");
  const measured = JSON.parse(
    execFileSync(python, [path("soft_control.py"), nodes, home], { encoding: "utf8" })
      .trim()
      .split("\n")
      .at(-1)!,
  ) as number[][];
  // sd-webui-controlnet, scripts/hook.py: control_scales.
  const decaying = Array.from({ length: 13 }, (_, layer) => 0.5 * 0.825 ** (12 - layer));
  const expected = [decaying, decaying.slice(0, 10), [0.125, 0.31, 0.4125, 0.5]];
  expect(measured.map((weights) => weights.length)).toEqual([13, 10, 4]);
  for (const [index, weights] of measured.entries())
    for (const [layer, weight] of weights.entries()) expect(weight).toBeCloseTo(expected[index]![layer]!, 6);
});
