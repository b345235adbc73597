/** Our sampler node runs A1111's steps: beside A1111's own arithmetic, on a stand-in network in the real engine's Python. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import type { RealEngine } from "./install.ts";

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const { python, home } = JSON.parse(process.env["ENGINE_UNDER_TEST"] ?? "{}") as RealEngine;
const nodes = path("../../runtime/comfyui_nodes/comfy_endpoint");
const printed = execFileSync(python, [path("a1111_steps.py"), home, nodes], { encoding: "utf8" });
const { differences, times } = JSON.parse(printed.trim().split("\n").at(-1)!) as {
  differences: Record<string, number>;
  times: number[][];
};

test.each(Object.entries(differences))("%s", (_, difference) => {
  // Values are around 1, of 32 bits.
  expect(difference).toBeLessThan(2e-5);
});

test("the network is told the times of the levels, also between two entries of its table", () => {
  expect(times[0]).toEqual([876, 751, 626, 501, 376, 251, 126]);
  expect(times[1]).toEqual([991.884, 815.888, 514.701, 80.75]);
});
