import type { Engine } from "./engine.ts";
import type { Graph } from "./graphs.ts";

interface Tolerance {
  difference: number;
  because: string;
}

/** How far (0-255, any channel) a real engine of the recorded version may be, by node class. */
const REAL: Readonly<Record<string, Tolerance>> = {
  ImageScaleToTotalPixels: {
    difference: 1,
    because: "another build of torch rounds an interpolated value the other way",
  },
};

/** How far the emulator may be. A class that is not named is exact. */
const EMULATOR: Readonly<Record<string, Tolerance>> = { ...REAL };

/** The largest difference that one of the graph's nodes excuses. */
export function toleranceOf(graph: Graph, { isEmulator }: Engine): number {
  const table = isEmulator ? EMULATOR : REAL;
  return Math.max(0, ...Object.values(graph).map((node) => table[node.class_type!]?.difference ?? 0));
}
