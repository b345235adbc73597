import type { Engine } from "./engine.ts";
import type { Graph } from "./graphs.ts";

/** How far (0-255, any channel) a picture may be from the recorded one, and why. What is not named is exact. */
interface Tolerance {
  difference: number;
  because: string;
}
type Tolerances = Readonly<Record<string, Tolerance>>;

/** A real engine of a recorded version, by node class. */
const REAL: Tolerances = {
  ImageScaleToTotalPixels: {
    difference: 1,
    because: "another build of torch rounds an interpolated value the other way",
  },
};

/** The emulator, by the file that a node loads: ComfyUI 0.33.0 decodes through a YUV conversion of libav that loses what Pillow keeps. */
const EMULATOR: Tolerances = {
  ...REAL,
  "exif6.jpg": { difference: 20, because: "libav upsamples the colours of a rotated JPEG differently" },
  "animated.gif": { difference: 2, because: "libav converts each frame" },
  "plain.webp": { difference: 2, because: "libav converts to YUV and back" },
};

/** The largest difference that one of the graph's nodes excuses. */
export function toleranceOf(graph: Graph, { isEmulator }: Engine): number {
  const table = isEmulator ? EMULATOR : REAL;
  const keys = Object.values(graph).flatMap((node) => [node.class_type, node.inputs?.["image"]]);
  return Math.max(0, ...keys.map((key) => table[String(key)]?.difference ?? 0));
}
