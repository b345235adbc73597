/** How a ControlNet's map comes to the size of a pass: sd-webui-controlnet's `detectmap_proc` (scripts/controlnet.py). */

/** By the extension's names. */
export const RESIZE_MODES = ["Just Resize", "Crop and Resize", "Resize and Fill"] as const;
export type ResizeMode = (typeof RESIZE_MODES)[number];

type Size = Readonly<{ width: number; height: number }>;

export interface Placement {
  /** What the map is scaled to. */
  scaled: Size;
  /** Where it then stands on the canvas; below 0 where it is cut. */
  left: number;
  top: number;
  canvas: Size;
}

/** @param canvas of the pass, in pixels. */
export function placeMap(map: Size, mode: ResizeMode, canvas: Size): Placement {
  if (mode === "Just Resize") return { scaled: canvas, left: 0, top: 0, canvas };
  const [tall, wide] = [canvas.height / map.height, canvas.width / map.width];
  const scale = mode === "Crop and Resize" ? Math.max(tall, wide) : Math.min(tall, wide);
  const scaled = { width: roundHalfEven(map.width * scale), height: roundHalfEven(map.height * scale) };
  const spare = (side: "width" | "height") => canvas[side] - scaled[side];
  const offset = (room: number) => (mode === "Crop and Resize" ? 0 - half(-room) : half(room));
  return { scaled, left: offset(spare("width")), top: offset(spare("height")), canvas };
}

/** As much of a spare side as stands before the map; none where there is nothing to spare. */
const half = (room: number) => Math.max(0, Math.floor(room / 2));

/** As numpy rounds: halves to the even neighbour. */
export function roundHalfEven(value: number): number {
  const rounded = Math.round(value);
  return Math.abs(value % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

/** The resolution of a preprocessor for `pixel_perfect`: of the picture's shorter side, once it is placed. */
export function pixelPerfectResolution(picture: Size, mode: ResizeMode, canvas: Size): number {
  const [tall, wide] = [canvas.height / picture.height, canvas.width / picture.width];
  const scale = mode === "Resize and Fill" ? Math.min(tall, wide) : Math.max(tall, wide);
  return roundHalfEven(scale * Math.min(picture.width, picture.height));
}
