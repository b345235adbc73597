/** ControlNets as nodes: maps, the share of the pass in which they hold, and the extension's control modes. */
import type { Link } from "../runtime/comfyui/graph.ts";
import type { GraphBuilder } from "./builder.ts";
import type { Placement } from "./control-placement.ts";
import { type SamplingPass, timesOfCalls } from "./sampling-pass.ts";
import { LAST_TIME } from "./sigma-table.ts";

export interface Control {
  /** Of ControlNetLoader's list. */
  model: string;
  /** Of SetUnionControlNetType's list. */
  unionType?: string;
  /** 0 to 2. */
  weight: number;
  /** Shares of the pass's steps, 0 to 1, both ends included. */
  window: { start: number; end: number };
  map: ControlMap;
  /** The layers far from the middle weigh less. */
  isSoft: boolean;
  /** The negative prompt is drawn without it. */
  isPositiveOnly: boolean;
}

export interface ControlMap {
  /** Below the input folder. */
  picture: string;
  /** The map is made of the picture's edges. */
  edges?: Edges;
}

export interface Edges {
  /** Canny's thresholds, 0.01 to 0.99. */
  low: number;
  high: number;
  /** How the map comes to the size of the pass; undefined: it has it. */
  placement?: Placement & { method: "area" | "bicubic" };
}

export interface Prompted {
  positive: Link;
  negative: Link;
}

/** Ours: see runtime/comfyui_nodes/comfy_endpoint/soft_control.py. */
export const SOFT_CONTROL = "ComfyEndpointSoftControl";

/** @returns the prompts with every ControlNet that has an effect on the pass. */
export function addControls(
  builder: GraphBuilder,
  prompted: Prompted,
  controls: readonly Control[],
  { pass, vae }: { pass: SamplingPass; vae: Link },
): Prompted {
  return controls.reduce((before, control) => {
    const range = modelTimes(pass, control.window);
    if (range === undefined || control.weight === 0) return before;
    const applied = builder.share("ControlNetApplyAdvanced", {
      positive: before.positive,
      negative: before.negative,
      control_net: addControlNet(builder, control),
      image: addControlMap(builder, control.map),
      strength: control.weight,
      start_percent: range.start,
      end_percent: range.end,
      vae,
    });
    return { positive: applied(0), negative: control.isPositiveOnly ? before.negative : applied(1) };
  }, prompted);
}

function addControlNet(builder: GraphBuilder, { model, unionType, isSoft }: Control): Link {
  const loaded = builder.share("ControlNetLoader", { control_net_name: model })(0);
  const typed =
    unionType === undefined
      ? loaded
      : builder.share("SetUnionControlNetType", { control_net: loaded, type: unionType })(0);
  return isSoft ? builder.share(SOFT_CONTROL, { control_net: typed })(0) : typed;
}

/** @returns the picture that the ControlNet sees. */
export function addControlMap(builder: GraphBuilder, { picture, edges }: ControlMap): Link {
  const image = builder.share("LoadImage", { image: picture })(0);
  if (edges === undefined) return image;
  const map = builder.share("Canny", { image, low_threshold: edges.low, high_threshold: edges.high })(0);
  return edges.placement === undefined ? map : addPlacement(builder, map, edges.placement);
}

function addPlacement(builder: GraphBuilder, image: Link, placement: NonNullable<Edges["placement"]>): Link {
  const { scaled, left, top, canvas, method } = placement;
  const resized = builder.share("ImageScale", { image, upscale_method: method, ...scaled, crop: "disabled" })(0);
  if (scaled.width === canvas.width && scaled.height === canvas.height) return resized;
  if (left <= 0 && top <= 0 && scaled.width >= canvas.width && scaled.height >= canvas.height)
    return builder.share("ImageCrop", { image: resized, ...canvas, x: -left, y: -top })(0);
  // Edges are white on black, and few of them reach the border.
  const destination = builder.share("EmptyImage", { ...canvas, batch_size: 1, color: 0 })(0);
  const at = { x: left, y: top, resize_source: false };
  return builder.share("ImageCompositeMasked", { destination, source: resized, ...at })(0);
}

/**
 * The extension compares shares of steps where ComfyUI compares the model's time: the range that holds exactly the calls which the
 * extension would make with the ControlNet; undefined when there are none.
 */
export function modelTimes(pass: SamplingPass, { start, end }: Control["window"]): Control["window"] | undefined {
  const times = timesOfCalls(pass);
  const isHeld = times.map((_, call) => {
    const share = shownStep(pass, call) / pass.steps;
    return share >= start && share <= end;
  });
  const [first, last] = [isHeld.indexOf(true), isHeld.lastIndexOf(true)];
  if (first < 0) return undefined;
  const before = (call: number) => Number((1 - (times[call - 1]! + times[call]!) / 2 / LAST_TIME).toFixed(6));
  return { start: first === 0 ? 0 : before(first), end: last === times.length - 1 ? 1 : before(last + 1) };
}

/** A1111 counts a step after its first call: until then it shows the one before. */
function shownStep({ sampler }: SamplingPass, call: number): number {
  if (sampler.secondCall === undefined) return Math.max(0, call - 1);
  const step = Math.floor(call / 2);
  return call % 2 === 1 ? step : Math.max(0, step - 1);
}
