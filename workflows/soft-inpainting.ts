/** A1111's soft inpainting: parts of the picture under a grey mask are kept in part, and what changed decides what the result shows. */
import type { Link } from "../runtime/comfyui/graph.ts";
import type { GraphBuilder } from "./builder.ts";

/** The settings of A1111's script, by its labels. */
export interface SoftInpainting {
  scheduleBias: number;
  preservationStrength: number;
  /** Above 0. */
  transitionContrastBoost: number;
  /** 0 to 1. */
  maskInfluence: number;
  differenceThreshold: number;
  differenceContrast: number;
}

/** Ours: see runtime/comfyui_nodes/comfy_endpoint/soft_inpainting.py. */
const SOFT_INPAINT = "ComfyEndpointSoftInpaint";
const SOFT_INPAINT_MASK = "ComfyEndpointSoftInpaintMask";
/** The nodes that it needs. */
export const SOFT_INPAINT_NODES = [SOFT_INPAINT, SOFT_INPAINT_MASK] as const;

export interface SoftStart {
  settings: SoftInpainting;
  /** The latent that sampling starts from. */
  original: Link;
  mask: Link;
}

/** The model, which then keeps the original in every step as the mask says. */
export const addSoftModel = (builder: GraphBuilder, model: Link, { settings, original, mask }: SoftStart): Link =>
  builder.share(SOFT_INPAINT, {
    model,
    samples: original,
    mask,
    schedule_bias: settings.scheduleBias,
    preservation: settings.preservationStrength,
    contrast: settings.transitionContrastBoost,
  })(0);

/** Where the painted picture shows in the result: a grey picture with a pixel per cell of the latent. @param samples as sampled. */
export const addSoftMask = (
  builder: GraphBuilder,
  { model, samples }: { model: Link; samples: Link },
  { settings, original, mask }: SoftStart,
): Link =>
  builder.add(SOFT_INPAINT_MASK, {
    model,
    original,
    samples,
    mask,
    preservation: settings.preservationStrength,
    mask_influence: settings.maskInfluence,
    threshold: settings.differenceThreshold,
    contrast: settings.differenceContrast,
  })(0);
