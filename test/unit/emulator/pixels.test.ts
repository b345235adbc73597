import { readFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import type { Graph } from "../../../runtime/comfyui/graph.ts";
import { runGraph } from "../../support/run-graph.ts";

const FIXTURES = join(import.meta.dirname, "../../fixtures/comfyui");

interface PixelCase {
  name: string;
  graph: Graph;
  outputs: { file: string; type: "output" | "temp" }[];
  animated?: boolean[];
  run_error?: { exception_type: string; exception_message: string };
}

const { cases } = JSON.parse(readFileSync(join(FIXTURES, "pixels.json"), "utf8")) as { cases: PixelCase[] };

/** Where the files may differ from ComfyUI's, by how much (0-255), and why. Everything else is byte-exact. */
const TOLERANCES: { uses: string; difference: number; reason: string }[] = [
  { uses: "exif6.jpg", difference: 20, reason: "libjpeg interpolates the colour planes, PyAV's swscale repeats them" },
  { uses: "animated.gif", difference: 1, reason: "swscale goes from BGRA to float through a limited-range matrix" },
  { uses: "plain.webp", difference: 1, reason: "as for GIF" },
  { uses: "ImageScaleToTotalPixels", difference: 1, reason: "the last bit of torch's vectorised bilinear sums" },
];

const toleranceOf = (graph: Graph) =>
  Math.max(
    0,
    ...TOLERANCES.filter(({ uses }) => JSON.stringify(graph).includes(`"${uses}"`)).map((row) => row.difference),
  );

const pixelsOf = (file: string) => sharp(file).raw().toBuffer({ resolveWithObject: true });

async function largestDifference(file: string, wanted: string): Promise<number> {
  const [got, want] = await Promise.all([pixelsOf(file), pixelsOf(wanted)]);
  const shape = ({ info }: typeof got) => [info.width, info.height, info.channels];
  expect(shape(got)).toEqual(shape(want));
  return got.data.reduce((largest, value, index) => Math.max(largest, Math.abs(value - want.data[index]!)), 0);
}

describe("the emulator's pixel nodes write what ComfyUI 0.33.0 wrote", () => {
  test.for(cases.filter(({ run_error }) => !run_error))("$name", async ({ graph, outputs, animated }) => {
    const { results, folders } = await runGraph(graph, { input: join(FIXTURES, "pixels/in") });
    const ui = [...results.values()].find((result) => result.ui)?.ui;
    const files = (ui?.["images"] ?? []) as { filename: string; subfolder: string; type: "output" | "temp" }[];

    expect(files.map(({ type }) => type)).toEqual(outputs.map(({ type }) => type));
    if (animated) expect(ui?.["animated"]).toEqual(animated);
    for (const [index, { filename, subfolder, type }] of files.entries()) {
      const difference = await largestDifference(
        join(folders[type], subfolder, filename),
        join(FIXTURES, outputs[index]!.file),
      );
      expect(difference).toBeLessThanOrEqual(toleranceOf(graph));
    }
  });

  test.for(cases.filter(({ run_error }) => run_error))("$name raises", async ({ graph, run_error }) => {
    await expect(runGraph(graph, { input: join(FIXTURES, "pixels/in") })).rejects.toMatchObject({
      exceptionType: run_error!.exception_type,
      // ComfyUI appends its tips, here none, after a line break.
      message: run_error!.exception_message.trimEnd(),
    });
  });
});
