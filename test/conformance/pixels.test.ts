import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Engine, engineName, FIXTURES, startEngine, uploadInputs } from "./support/engine.ts";
import type { Graph } from "./support/graphs.ts";
import { decodePicture, type Picture } from "./support/picture.ts";
import { executionError, finished, type OutputFile, postPrompt } from "./support/prompts.ts";
import { toleranceOf } from "./support/tolerances.ts";

/** Model-free graphs and the very files that ComfyUI 0.33.0 wrote for them; where 0.3.75 differs, by how much. */
interface Case {
  name: string;
  graph: Graph;
  outputs: { file: string; mode: string; size: [number, number]; frames?: number; type: string }[];
  animated?: boolean[];
  run_error?: { node_type: string; exception_type: string };
  v0_3_75?: { max_difference?: number; mode?: string; size?: [number, number] };
}

const { cases } = JSON.parse(readFileSync(join(FIXTURES, "pixels.json"), "utf8")) as { cases: Case[] };

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
  await uploadInputs(engine.url, join(FIXTURES, "pixels/in"));
});
afterAll(() => engine.stop());

test.each(cases)(`$name on ${engineName}`, async (it) => {
  const answer = await postPrompt(engine, JSON.stringify({ prompt: it.graph }));
  expect(answer).toMatchObject({ status: 200, body: { node_errors: {} } });
  const entry = await finished(engine, (answer.body as { prompt_id: string }).prompt_id);
  const { run_error } = it;
  if (run_error) {
    const { node_type, exception_type } = run_error;
    expect(executionError(entry)).toMatchObject({ node_type, exception_type });
    return;
  }
  expect(entry.status.status_str, JSON.stringify(executionError(entry))).toBe("success");
  const [output] = Object.values(entry.outputs);
  expect(output!.animated?.[0] ?? false).toBe(it.animated?.[0] ?? false);
  const files = output!.images!;
  expect(files.map(({ type }) => type)).toEqual(it.outputs.map(({ type }) => type));
  for (const [index, file] of files.entries()) await compare(it, it.outputs[index]!.file, file);
});

async function compare(it: Case, recordedFile: string, file: OutputFile): Promise<void> {
  const query = new URLSearchParams({ ...file }).toString();
  const response = await fetch(`${engine.url}/view?${query}`);
  const seen = await decodePicture(Buffer.from(await response.arrayBuffer()));
  const recorded = await decodePicture(await readFile(join(FIXTURES, recordedFile)));
  const old = engine.recordedVersion === "0.3.75" ? it.v0_3_75 : undefined;
  const [width, height] = old?.size ?? [recorded.width, recorded.height];
  const { mode, frames } = recorded;
  expect({ mode: seen.mode, width: seen.width, height: seen.height, frames: seen.frames }).toEqual({
    mode: old?.mode ?? mode,
    width,
    height,
    frames,
  });
  if (old?.size) return; // another size than the recorded picture: there is nothing to compare with
  const allowed = Math.max(old?.max_difference ?? 0, toleranceOf(it.graph, engine));
  expect(largestDifference(seen, recorded)).toBeLessThanOrEqual(allowed);
}

function largestDifference(a: Picture, b: Picture): number {
  let largest = 0;
  for (const [index, value] of a.pixels.entries()) largest = Math.max(largest, Math.abs(value - b.pixels[index]!));
  return largest;
}
